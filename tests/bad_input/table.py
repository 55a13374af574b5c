"""What is refused, and in which words: a row an input, through the command that takes it.

A row is what is given, and words of the error. The exit status is 2 in all: bad usage,
configuration or data.
"""

import bz2
import gzip
import lzma
import pickle
import shlex
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import bad_archives as archives
import bad_images as images
import bad_networks as networks
import numpy as np
from cifar_archives import batch, meta

from kd_trainer.labels import FINE_LABELS

_NAMES = [name.encode() for name in FINE_LABELS]

# What `run --data` is given, by the function that writes it.
ARCHIVES: dict[str, tuple[archives.Make, list[str]]] = {
    # No archive.
    "nothing there": (lambda path: None, ["no such file or folder", "Give the path"]),
    "empty file": (archives.holding(b""), ["empty file", "Get it again"]),
    "a page of HTML": (archives.holding(b"<html>not found</html>"), ["cannot be read", "damaged"]),
    "a zip": (archives.holding(b"PK\x03\x04" + bytes(2000)), ["cannot be read", "tar archive"]),
    "zeros": (archives.holding(bytes(4096)), ["wrong member names: found nothing"]),
    "an empty folder": (lambda path: path.mkdir(), ["wrong member names: found nothing"]),
    "a folder of something else": (
        lambda path: (path / "photos").mkdir(parents=True),
        ["wrong member names: found photos", "expected regular files named"],
    ),
    # Damaged in transit.
    **{f"cut off, {n}": (archives.cut(n), ["get it again"]) for n in range(50)},
    **{f"one bit flipped, {n}": (archives.flipped(n), ["get it again"]) for n in range(21)},
    "a pixel of the sample changed": (
        archives.changed_sample,
        ["member 'test'", "wrong hash: found md5", "expected 77f953358a36517ae2a51a7c5f2ce16f"],
    ),
    "a pickle cut short": (
        archives.members(test=pickle.dumps(batch(2))[:-100]),
        ["member 'test'", "not a CIFAR-100 pickle"],
    ),
    "a binary file cut short": (
        archives.binary(train_bin=bytes(3075)),
        ["member 'train.bin'", "found 3,075 bytes", "multiple of 3,074", "get it again"],
    ),
    # Made to fill memory, disk or time.
    "bomb, gzip": (archives.bomb(gzip.compress), ["more than 512 MiB when unpacked"]),
    "bomb, bzip2": (archives.bomb(bz2.compress), ["more than 512 MiB when unpacked"]),
    "bomb, xz": (archives.bomb(lzma.compress), ["more than 512 MiB when unpacked"]),
    "bomb in a member's name": (
        archives.bomb(gzip.compress, tarfile.GNUTYPE_LONGNAME),
        ["cannot be read: a name or header of 629,145,600 bytes"],
    ),
    "bomb, sparse": (archives.sparse_bomb, ["more than 512 MiB when unpacked"]),
    "bomb of members": (archives.many_members, ["more than 1,000 members, CIFAR-100 has 5"]),
    "names without end": (archives.long_names_in_long_names, ["cannot be read", "recursion"]),
    "pickle, far place": (archives.members(train=archives.far_memo()), ["'train'", "NoneType"]),
    "pickle, many objects": (
        archives.members(train=archives.many_lists()),
        ["'train'", "more than 1,000,000 steps"],
    ),
    "pickle, a key of tuples": (
        archives.members(train=archives.nested_key()),
        ["'train'", "a tuple as a key"],
    ),
    # Made to write or read elsewhere, or to run code.
    "symbolic link": (archives.link(tarfile.SYMTYPE), ["wrong member names", "regular files"]),
    "hard link": (archives.link(tarfile.LNKTYPE), ["wrong member names", "regular files"]),
    "a device": (archives.link(tarfile.CHRTYPE), ["wrong member names", "regular files"]),
    "path upwards": (archives.outside("../../owned"), ["wrong member names: found ../../owned"]),
    "absolute path": (archives.outside("/tmp/owned"), ["wrong member names: found /tmp/owned"]),
    "a name that clears the screen": (
        archives.outside("\x1b[2Jowned"),
        [r"wrong member names: found \x1b[2Jowned"],
    ),
    "code, os.system": (archives.marks_in_folder, ["'train'", "refused global posix.system"]),
    "code, subprocess": (
        archives.code(subprocess.Popen, ["touch", "owned"]),
        ["'train'", "refused global subprocess.Popen"],
    ),
    "code, eval": (archives.code(eval, "open('owned', 'w')"), ["refused global builtins.eval"]),
    "code, numpy": (
        archives.code(np.load, "owned", None, True),
        ["refused global numpy", "CIFAR-100 needs only"],
    ),
    "an attribute of what is allowed": (
        archives.members(train=b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93."),
        ["refused global numpy.dtype.__init__"],
    ),
    # Other data.
    "CIFAR-10": (archives.layout("cifar-10-python"), ["wrong member names", "cifar-100-python/"]),
    "no test split": (archives.members(test=None), ["wrong member names", "cifar-100-python/test"]),
    "not a dict": (archives.members(train=pickle.dumps([1])), ["found list, expected a dict"]),
    "a dict of nothing": (
        archives.members(train=pickle.dumps({})),
        ["found the keys none; coarse_labels, data, fine_labels missing"],
    ),
    "no labels": (
        archives.members(train=pickle.dumps({"data": 1})),
        ["found the keys data; coarse_labels, fine_labels missing"],
    ),
    "images in a list": (archives.test(data=[1]), ["'test': data: found list", "an array"]),
    "images too wide": (
        archives.test(data=np.zeros((2, 3073), np.uint8)),
        ["uint8 of shape (2, 3073), expected uint8 of shape (N, 3072)"],
    ),
    "images as images": (
        archives.train(data=np.zeros((2, 32, 32, 3), np.uint8)),
        ["of shape (2, 32, 32, 3), expected uint8 of shape (N, 3072)"],
    ),
    "one image": (archives.train(data=np.zeros(3072, np.uint8)), ["of shape (3072,)"]),
    "images of floats": (
        archives.train(data=np.zeros((2, 3072))),
        ["type 'u1' (uint8), found 'f8'"],
    ),
    "images of objects": (
        archives.train(data=np.array([[1, "a"]], dtype=object)),
        ["type 'u1' (uint8), found 'O8'"],
    ),
    "more images than labels": (
        archives.train(fine_labels=[1]),
        ["lengths disagree: found 2 images, 1 labels, 2 coarse labels"],
    ),
    "label above": (archives.train(fine_labels=[1, 100]), ["found 1 to 100, expected 0 to 99"]),
    "label below": (archives.train(fine_labels=[-1, 5]), ["found -1 to 5, expected 0 to 99"]),
    "label of 31 digits": (archives.train(fine_labels=[1, 10**30]), ["expected 0 to 99"]),
    "coarse label above": (
        archives.test(coarse_labels=[3, 20]),
        ["'test': coarse labels are out of range: found 3 to 20, expected 0 to 19"],
    ),
    "labels of floats": (archives.test(fine_labels=[1.5, 2]), ["expected a list of integers"]),
    "labels of booleans": (archives.test(fine_labels=[True, 2]), ["expected a list of integers"]),
    "labels in a text": (archives.test(coarse_labels="12"), ["expected a list of integers"]),
    "train empty": (archives.members(train=batch(0)), ["'train'", "found no records"]),
    "test empty": (archives.members(test=batch(0)), ["'test'", "found no records"]),
    "test.bin empty": (archives.binary(test_bin=b""), ["'test.bin'", "found no records"]),
    "label above, binary": (
        archives.binary(train_bin=bytes([3, 100]) + bytes(3072)),
        ["'train.bin'", "found 100 to 100, expected 0 to 99"],
    ),
    "coarse label above, binary": (
        archives.binary(train_bin=bytes([20, 1]) + bytes(3072)),
        ["'train.bin'", "found 20 to 20, expected 0 to 19"],
    ),
    "names in another order": (
        archives.members(meta=meta() | {b"fine_label_names": _NAMES[::-1]}),
        ["'meta', fine_label_names: found worm, expected apple"],
    ),
    "too few names": (
        archives.members(meta=meta() | {b"fine_label_names": _NAMES[:3]}),
        ["'meta', fine_label_names: found 3 names, expected 100"],
    ),
    "names that are lists": (
        archives.members(meta=meta() | {b"fine_label_names": [[]] * 100}),
        ["found (list), expected apple"],
    ),
    "other names, binary": (
        archives.binary(fine_label_names_txt=b"cat\ndog\n"),
        ["'fine_label_names.txt'", "found cat, expected apple"],
    ),
    "fewer than a batch": (
        archives.members(),
        ["recipe.batch_size is 64, but the training split has only 11 images"],
    ),
}

# What `run --preset quick` is given with `--set`, one after another.
CONFIGURATION: dict[str, tuple[list[str], list[str]]] = {
    # Types.
    "text for a number": (["recipe.epochs=many"], ["recipe.epochs", "valid integer", "'many'"]),
    "half an epoch": (["recipe.epochs=1.5"], ["recipe.epochs", "fractional part", "1.5"]),
    "empty value": (["recipe.epochs="], ["recipe.epochs", "valid integer", "found None"]),
    "a list for a number": (["seed=[1]"], ["seed", "valid integer", "found [1]"]),
    "a number for a section": (["recipe=5"], ["recipe: Input should be", "found 5"]),
    "a number for the teacher": (["teacher=5"], ["teacher: Input should be", "found 5"]),
    "a list for a section": (["data=[1, 2]"], ["data: Input should be", "[1, 2]"]),
    "a number for the method": (["method=5"], ["method", "found 5"]),
    "no method": (["method=[]"], ["method: found the combination []", "one or more"]),
    "a list in a list": (["method=[[soft_logits]]"], ["method", "['soft_logits']"]),
    "a number for a path": (["data.path=5"], ["data.path", "valid string", "found 5"]),
    "a list for a path": (["teacher.from=[1]"], ["teacher.from", "valid string"]),
    # Ranges.
    "no epochs": (["recipe.epochs=0"], ["recipe.epochs", "greater than or equal to 1", "found 0"]),
    "a batch of none": (
        ["recipe.batch_size=0"],
        ["recipe.batch_size", "greater than or equal to 1"],
    ),
    "negative rate": (["recipe.learning_rate=-0.1"], ["recipe.learning_rate", "greater than 0"]),
    "infinite rate": (
        ["recipe.learning_rate=.inf"],
        ["recipe.learning_rate", "finite number", "inf"],
    ),
    "no number": (["gate.min_accuracy=.nan"], ["gate.min_accuracy", "nan"]),
    "accuracy above 1": (
        ["gate.min_accuracy=60"],
        ["gate.min_accuracy", "less than or equal to 1"],
    ),
    "infinite temperature": (["method.temperature=.inf"], ["method.temperature", "finite number"]),
    "temperature below 0": (
        ["method.temperature=-1"],
        ["method.temperature", "greater than 0", "-1"],
    ),
    "milestone beyond the end": (["recipe.milestones=[0.5, 1.5]"], ["recipe.milestones", "1.5"]),
    "everything held out": (["data.eval_fraction=1"], ["data.eval_fraction", "less than 1"]),
    "nothing left to hold out": (["data.eval_fraction=1e-9"], ["split 'eval': found no records"]),
    "a limit of none": (["data.limit=0"], ["data.limit", "greater than or equal to 1"]),
    "negative seed": (["seed=-1"], ["seed", "greater than or equal to 0", "found -1"]),
    "a seed that numpy cannot take": (["seed=99999999999"], ["seed", "less than 2147483648"]),
    "a number of 5,000 digits": (
        ["seed=" + "9" * 5000],
        ["seed=999", "not valid YAML", "value has 5000 digits"],
    ),
    "padding wider than the image": (["recipe.crop_padding=40"], ["recipe.crop_padding", "to 16"]),
    "weight of a member": (["method=[{name: fitnet, weight: -1}]"], ["weight of 'fitnet' is -1"]),
    "a name with a space": (["name=No Spaces"], ["name", "pattern", "'No Spaces'"]),
    "a name that leads elsewhere": (["name=../../etc"], ["name", "pattern", "'../../etc'"]),
    "a name too long for a folder": (["name=" + "a" * 300], ["name", "at most 63 characters"]),
    # Unknown keys and names.
    "unknown section": (["gates.min_accuracy=0"], ["no key 'gates'", "Did you mean 'gate'"]),
    "unknown key": (["recipe.epoch=3"], ["no key 'recipe.epoch'", "Did you mean 'epochs'"]),
    "unknown key, inherited": (["teacher.recipe.epoch=3"], ["'teacher.recipe.epoch'", "'epochs'"]),
    "unknown network": (["student.network=resnet9"], ["student", "'resnet9'", "'resnet8'"]),
    "unknown method": (["method=fitnets"], ["no method named 'fitnets'", "Did you mean 'fitnet'"]),
    "unknown preset of a method": (["method.preset=papr"], ["no preset named 'papr'", "Known: "]),
    "unknown hyper-parameter": (["method.temprature=2"], ["'method.temprature'", "'temperature'"]),
    "unknown hyper-parameter of a member": (
        ["method=[fitnet, {name: soft_logits, temprature: 1}]"],
        ["method[1].temprature", "'temperature'"],
    ),
    "unknown schedule": (["recipe.schedule=linear"], ["recipe.schedule", "'step' or 'cosine'"]),
    "unknown Beam option": (["beam.options=[runer=x]"], ["beam.options", "'runer'", "runner"]),
    # Contradictions.
    "no bound": (["gate={baseline: champion}"], ["gate: there is no bound", "min_accuracy=0.6"]),
    "best epoch without eval": (
        ["recipe.keep=best", "data.eval_fraction=0"],
        ["recipe.keep is 'best' and data.eval_fraction is 0"],
    ),
    "two teachers": (
        ["teacher.from=a.keras", "teacher.network=resnet8"],
        ["teacher: give one of 'network'", "found both"],
    ),
    "no student": (["student={}"], ["student: give one of 'network'", "found neither"]),
    "taps of a named network": (["student.taps.stage1=a"], ["student: 'taps' are for a model of"]),
    "a recipe for a trained teacher": (
        ["teacher.from=a.keras", "teacher.recipe.epochs=1"],
        ["teacher: 'recipe' is for a teacher that is trained here"],
    ),
    "a path and a download": (
        ["data.path=a.tar.gz", "data.download=true"],
        ["data.path is 'a.tar.gz' and data.download is true", "give one of the two"],
    ),
    "a method twice": (["method=[soft_logits, soft_logits]"], ["each once"]),
    "one's key in several": (
        ["method=[fitnet]", "method.temperature=2"],
        ["method.temperature=2", "has no keys of its own"],
    ),
    "layers that do not fit": (
        ["method=fsp", "student.network=vgg8"],
        ["(4, 32, 32, 64)", "equal batches and channels"],
    ),
    "batch above the split": (
        ["recipe.batch_size=5000"],
        ["recipe.batch_size is 5000", "has only"],
    ),
    "several machines in one process": (
        ["recipe.distribution=multi_worker"],
        ["recipe.distribution is 'multi_worker'", "one process", "tfx-distill kubeflow submit"],
    ),
    "a cache of nothing": (
        ["teacher.cache_gigabytes=1", "method=fsp"],
        ["teacher.cache_gigabytes is 1, but nothing that the method reads"],
    ),
    # YAML's tricks.
    "no value": (["recipe.epochs"], ["key=value", "'recipe.epochs' has no '='"]),
    "no key": (["=1"], ["There is no key ''"]),
    "a key below a value": (["name.x=1"], ["'name' is 'quick' and has no keys of its own"]),
    "`no` is a word": (["recipe.distribution=no"], ["recipe.distribution", "found 'no'"]),
    "`on` is a word": (["gate.min_accuracy=on"], ["gate.min_accuracy", "valid number", "'on'"]),
    "1:30 is no number": (["recipe.epochs=1:30"], ["recipe.epochs", "valid integer", "'1:30'"]),
    "a day is text": (["recipe.epochs=2026-01-01"], ["recipe.epochs", "'2026-01-01'"]),
    "a key twice": (
        ["data={limit: 5, limit: 6}"],
        ["data={limit: 5, limit: 6}: the value is not valid YAML", "'limit' is given twice"],
    ),
    "a key that is no text": (["data={1: 2}"], ["not valid YAML", "a key is 1, expected text"]),
    "an alias": (["method={name: &a fitnet, preset: *a}"], ["anchors and aliases", "'a'"]),
    "a bomb of aliases": (
        ["method=[&a [1,1], &b [*a,*a], &c [*b,*b], &d [*c,*c], &e [*d,*d]]"],
        ["not valid YAML", "anchors and aliases"],
    ),
    "a tag that runs code": (
        ["data.path=!!python/object/apply:os.system [touch owned]"],
        ["not valid YAML", "tags (!)", "os.system"],
    ),
    "two documents": (["seed=1\n---\n2"], ["not valid YAML", "single document"]),
    "a tab": (["data={\n\tlimit: 5}"], ["not valid YAML", r"'\t'"]),
    "a bracket too few": (["recipe.milestones=[0.5"], ["not valid YAML", "expected ',' or ']'"]),
    "2,000 brackets": (["method=" + "[" * 2_000], ["not valid YAML", "nested too deeply"]),
    "half a letter": (['data.path="\\udcff"'], ["not valid YAML", "it holds half a letter"]),
    "a control letter": (["data.path=\x07"], ["not valid YAML", r"#x0007"]),
    # Places.
    "an empty path": (["data.path=''"], ["data.path", "at least 1 character"]),
    "a path with a NUL": (['data.path="a\\0b"'], ["data.path", "pattern"]),
    "no such schema": (["data.schema_path=none.pbtxt"], ["data.schema_path: there is no file"]),
    "no schema": (["data.schema_path=/etc/passwd"], ["schema /etc/passwd cannot be read"]),
    "a place that cannot be pushed to": (
        ["push.directory=/proc/tfx-distill"],
        ["'/proc/tfx-distill' cannot be written", "push.directory"],
    ),
    "a format without the SavedModel": (
        ["push.formats=[tflite]"],
        ["push.formats", "[saved_model"],
    ),
    "another format": (["push.formats=[saved_model, onnx]"], ["push.formats", "'onnx'"]),
}

# What a network of one's own is: role, the function that writes it, other settings.
NETWORKS: dict[str, tuple[str, networks.Make, list[str], list[str]]] = {
    "no such file": ("teacher", lambda path: None, [], ["There is no file"]),
    "no archive": ("teacher", archives.holding(b"no"), [], ["is not a .keras file", "model.save"]),
    "cut short": ("teacher", networks.cut(0.6), [], ["is not a .keras file", "model.save"]),
    "an archive of something else": (
        "student",
        archives.holding(b"PK\x05\x06" + bytes(18)),
        [],
        ["is damaged", "config.json"],
    ),
    "damaged weights": ("teacher", networks.damaged, [], ["Bad CRC-32", "save it again"]),
    "a configuration cut short": (
        "teacher",
        networks.NO_JSON,
        [],
        ["Unterminated string", "Save the model again"],
    ),
    "a bomb": ("teacher", networks.BOMB, [], ["104,857,600 when unpacked", "fill the memory"]),
    "a billion units": (
        "teacher",
        networks.HUGE_DENSE,
        [],
        ["its layers have 9,000,00", "'predictions/kernel'", "fill the memory"],
    ),
    "a hundred million filters": (
        "student",
        networks.HUGE_CONVOLUTION,
        [],
        ["its layers have ", "most of them in ", "bytes of weights", "fill the memory"],
    ),
    "a huge map": (
        "student",
        networks.HUGE_MAP,
        [],
        ["'larger' gives (32000, 32000, 3), 3,072,000,000 values", "at most"],
    ),
    "a Lambda layer": (
        "teacher",
        networks.with_lambda,
        [],
        ["not on the list", "keras.layers.Lambda at", "keras.ops"],
    ),
    "a layer of one's own": ("student", networks.FOREIGN_LAYER, [], ["not on the list", "Special"]),
    "a function of Python's": ("teacher", networks.CALLS_SYSTEM, [], ["not on the list", "system"]),
    "weights in another file": (
        "teacher",
        networks.weights_elsewhere,
        [],
        ["cannot be loaded", "H5 file with external Dataset"],
    ),
    "other images": (
        "teacher",
        networks.network(size=28),
        [],
        ["images of the shape (28, 28, 3), the data's have (32, 32, 3)", "Resizing"],
    ),
    "integers": ("student", networks.network(networks.of_integers), [], ["takes int32", "uint8"]),
    "two inputs": (
        "teacher",
        networks.network(networks.two_inputs),
        [],
        ["2 inputs, expected one"],
    ),
    "two outputs": (
        "teacher",
        networks.network(networks.two_outputs),
        [],
        ["2 outputs, expected one"],
    ),
    "no graph": (
        "student",
        networks.network(networks.without_input),
        [],
        ["without a graph (Sequential)", "keras.Input"],
    ),
    "a map for logits": (
        "teacher",
        networks.network(networks.a_map),
        [],
        ["(30, 30, 5)", "expected a row of logits"],
    ),
    "ten classes": ("student", networks.network(classes=10), [], ["10 classes, the data has 100"]),
    "probabilities": (
        "student",
        networks.network(activation="sigmoid"),
        [],
        ["they are probabilities, expected logits", "taps.logits"],
    ),
    "one who guesses": (
        "teacher",
        networks.network(),
        [],
        ["is right on", "always giving the most frequent class"],
    ),
    "weights that are no numbers": (
        "teacher",
        networks.not_a_number,
        [],
        ["not finite on 100% of"],
    ),
    "a tap that is none": (
        "teacher",
        networks.network(),
        ["teacher.taps.stage2=conv_c"],
        ["taps.stage2: the model has no layer named 'conv_c'", "conv_b  (8, 8, 8)"],
    ),
    "a missing tap": (
        "student",
        networks.network(activation=None),
        ["method.name=fitnet", "method.taps=[stage1]"],
        [
            "The network 'bad' has no tap named 'stage1'",
            "student.taps.stage1=LAYER",
            "conv_a  (16, 16, 8)",
        ],
    ),
    "a tap's name": (
        "student",
        networks.network(),
        ["student.taps.a_block=conv_a"],
        ["taps: 'a_block' cannot be a tap's name"],
    ),
}

# What `predict` is given; None is no file.
IMAGES: dict[str, tuple[bytes | None, list[str]]] = {
    "no file": (None, ["cannot be read: No such file or directory"]),
    "zero bytes": (b"", ["is no image that can be read", "Expected a PNG, JPEG, GIF or BMP file"]),
    "text": (b"no image", ["is no image that can be read: Unknown image file format"]),
    "TIFF": (b"II*\0" + bytes(100), ["is no image that can be read: Unknown image file format"]),
    "SVG": (b"<svg onload='alert(1)'/>", ["is no image that can be read: Unknown"]),
    "JPEG, a head alone": (b"\xff\xd8\xff\xe0 cut off", ["is no image that can be read"]),
    "JPEG, cut short": (images.CMYK[:400], ["is no image that can be read"]),
    "PNG, a head alone": (images.png(8, 8)[:20], ["is no image that can be read: it ends before"]),
    "PNG, cut short": (images.png(64, 64)[:60], ["is no image that can be read"]),
    "PNG, no rows": (images.png(64, 64, rows=0), ["is no image that can be read"]),
    "PNG, no such depth": (images.png(8, 8, depth=5), ["is no image that can be read"]),
    "PNG, no pixels": (images.png(0, 8), ["is no image that can be read"]),
    "PNG, huge": (images.png(40_000, 40_000, rows=1), ["has 40,000 x 40,000 pixels", "at most"]),
    "PNG, beyond all numbers": (images.png(2**31 - 1, 2**31 - 1, rows=1), ["has 2,147,483,647 x"]),
    "JPEG, huge": (images.jpeg(65_500, 65_500), ["has 65,500 x 65,500 pixels"]),
    "GIF, huge": (images.gif(65_000, 65_000), ["has 65,000 x 65,000 pixels"]),
    "BMP, huge": (images.bmp(100_000, -100_000), ["has 100,000 x 100,000 pixels"]),
    "BMP, no pixels": (images.bmp(8, 8)[:54], ["is no image that can be read"]),
    "GIF, animated": (images.ANIMATED, ["has 3 frames, expected one image"]),
    "GIF, 60,000 frames": (
        images.gif(60_000, 1, frames=60_000),
        ["has 60000 frames, expected one"],
    ),
    "GIF, cut short": (images.ANIMATED[:900], ["is no image that can be read"]),
}

_RUN = "run --data {data}"

# The whole command line; paths of the test stand in braces.
COMMAND_LINE: dict[str, tuple[str, list[str]]] = {
    "no command": ("", ["the following arguments are required: COMMAND"]),
    "unknown command": ("runn", ["invalid choice: 'runn'", "'run'"]),
    "unknown option": ("run --epochs 3", ["unrecognized arguments: --epochs 3"]),
    "an option without its value": ("run --set", ["--set", "expected one argument"]),
    "a word too many": ("run quick", ["unrecognized arguments: quick"]),
    "unknown preset": ("run --preset qiuck", ["no preset named 'qiuck'", "Did you mean 'quick'"]),
    "a preset's path": ("run --preset ../config", ["no preset named '../config'"]),
    "no data": (
        "run --preset cifar100",
        ["Found no data for 'cifar100'", "--data PATH", "data.sample=true"],
    ),
    "an empty path of data": ("run --data ''", ["data.path", "at least 1 character"]),
    "a workdir that is a file": (f"{_RUN} --workdir {{file}}", ["cannot be written", "--workdir"]),
    "a workdir below a file": (f"{_RUN} --workdir {{file}}/x", ["cannot be written", "--workdir"]),
    "a workdir of the kernel's": (f"{_RUN} --workdir /proc/x", ["cannot be written", "--workdir"]),
    "a workdir too long": (f"{_RUN} --workdir {'a' * 300}", ["File name too long", "--workdir"]),
    "metadata of nobody": (f"{_RUN} --metadata redis://x", ["found redis://", "mysql://USER"]),
    "metadata without a database": (f"{_RUN} --metadata mysql://u@h", ["DATABASE missing"]),
    "metadata, no port": (f"{_RUN} --metadata mysql://u@h:port/d", ["PORT is a number"]),
    "metadata of no server": (
        f"{_RUN} --metadata mysql://u@127.0.0.1:1/d",
        ["no server can be reached at 127.0.0.1:1"],
    ),
    "metadata that is no database": (f"{_RUN} --metadata {{file}}", ["cannot be used", "{file}"]),
    "Beam, dashes": (f"{_RUN} --beam=--runner=x", ["beam.options", "without dashes"]),
    "Beam, unknown runner": (f"{_RUN} --beam runner=Spar", ["beam.options", "runner=Spar"]),
    "a schema of more classes": (
        f"{_RUN} --set data.schema_path={{schema}}",
        ["gives 'label' the domain 0 to 999, but CIFAR-100 has 100 classes"],
    ),
    "no trials": ("compare --trials 0", ["compare.trials", "greater than or equal to 1"]),
    "negative trials": ("compare --trials -3", ["compare.trials", "greater than or equal to 1"]),
    "trials in words": ("compare --trials two", ["--trials", "invalid int value: 'two'"]),
    "trials without end": ("compare --trials 1000000000", ["compare.trials", "equal to 100"]),
    "unknown method to compare": ("compare --methods rkd,fitnets", ["no method named 'fitnets'"]),
    "a method to compare twice": ("compare --methods rkd,rkd", ["different methods"]),
    "no methods to compare": ("compare --methods ''", ["compare.methods"]),
    "unknown method": ("methods fitnets", ["no method named 'fitnets'", "Did you mean 'fitnet'"]),
    "the runs of no workdir": ("runs --workdir {folder}/none", ["no ML Metadata at", "--workdir"]),
    "the lineage of nothing": ("lineage --workdir {folder}/none", ["no ML Metadata at"]),
    "the report of nothing": ("report --workdir {folder}/none", ["no ML Metadata at"]),
    "the difference of nothing": ("diff a b --workdir {folder}/none", ["no ML Metadata at"]),
    "half a difference": ("diff a", ["the following arguments are required: B"]),
    "an explanation of nothing": ("explain --workdir {folder}/none", ["no ML Metadata at"]),
    "a rollback of nothing": ("rollback --workdir {folder}/none", ["no ML Metadata at"]),
    "no images": ("predict", ["the following arguments are required: IMAGE"]),
    "a folder for an image": ("predict {folder} --model {served}", ["Is a directory"]),
    "nothing pushed": ("predict {image} --workdir {folder}/none", ["No version has been pushed"]),
    "no model": ("predict {image} --model {folder}", ["is no SavedModel", "saved_model.pb"]),
    "a damaged model": ("predict {image} --model {damaged}", ["cannot be loaded", "damaged"]),
    "two models": ("predict {image} --model x --name y", ["not allowed with argument"]),
    "kubeflow, no command": ("kubeflow", ["the following arguments are required: COMMAND"]),
    "kubeflow, no host": ("kubeflow list --host nowhere", ["--host", "'nowhere'"]),
    "kubeflow, no schedule": (
        "kubeflow schedule --name a",
        ["one of the arguments --cron --every"],
    ),
    "kubeflow, output": ("kubeflow compile --output {folder}/a.txt", ["--output", ".yaml"]),
    "kubeflow, no pipeline": (
        "kubeflow submit --host http://127.0.0.1:1 --spec {folder}/none.yaml",
        ["--spec", "No such file or directory"],
    ),
}


class Case(NamedTuple):
    """A command line, what writes the file that it calls {bad}, and what the error says."""

    words: list[str]
    make: Callable[[Path], object] | None
    expected: list[str]

    def command(self, folder: Path, places: Mapping[str, Path]) -> list[str]:
        """Writes what is given below a folder, which is empty; returns the words of the command."""
        bad = folder / "given" / "bad.keras"
        bad.parent.mkdir()
        if self.make:
            self.make(bad)
        return [word.format(**places, bad=bad, folder=folder) for word in self.words]


def _cases() -> Iterator[tuple[str, Case]]:
    run = ["run", "--workdir", "{folder}/workdir"]
    tiny = ["--set", "data.path={data}"]
    for name, (make, expected) in ARCHIVES.items():
        yield f"archive: {name}", Case([*run, "--data", "{bad}"], make, expected)
    for name, (settings, expected) in CONFIGURATION.items():
        escaped = [setting.replace("{", "{{").replace("}", "}}") for setting in settings]
        yield f"configuration: {name}", Case([*run, *tiny, *_sets(escaped)], None, expected)
    for name, (role, make, settings, expected) in NETWORKS.items():
        own = _sets([f"{role}.from={{bad}}", *settings])
        yield f"network: {name}", Case([*run, *tiny, *own], make, expected)
    for name, (content, expected) in IMAGES.items():
        make = (lambda path: None) if content is None else archives.holding(content)
        words = ["predict", "{image}", "{bad}", "--model", "{served}"]
        yield f"image: {name}", Case(words, make, expected)
    for name, (line, expected) in COMMAND_LINE.items():
        yield f"command line: {name}", Case(shlex.split(line), None, expected)


def _sets(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


CASES = dict(_cases())
