"""The names of CIFAR-100's classes, in the order of their numbers.

Source: `fine_label_names` and `coarse_label_names` of the member `meta` of the official archive,
https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz (Alex Krizhevsky, "Learning Multiple
Layers of Features from Tiny Images", 2009).
"""

CLASS_NAMES_FILE = "class_names.txt"
"""The asset of a SavedModel that holds the names of its classes, a line each."""

FINE_LABELS = (
    "apple",
    "aquarium_fish",
    "baby",
    "bear",
    "beaver",
    "bed",
    "bee",
    "beetle",
    "bicycle",
    "bottle",
    "bowl",
    "boy",
    "bridge",
    "bus",
    "butterfly",
    "camel",
    "can",
    "castle",
    "caterpillar",
    "cattle",
    "chair",
    "chimpanzee",
    "clock",
    "cloud",
    "cockroach",
    "couch",
    "crab",
    "crocodile",
    "cup",
    "dinosaur",
    "dolphin",
    "elephant",
    "flatfish",
    "forest",
    "fox",
    "girl",
    "hamster",
    "house",
    "kangaroo",
    "keyboard",
    "lamp",
    "lawn_mower",
    "leopard",
    "lion",
    "lizard",
    "lobster",
    "man",
    "maple_tree",
    "motorcycle",
    "mountain",
    "mouse",
    "mushroom",
    "oak_tree",
    "orange",
    "orchid",
    "otter",
    "palm_tree",
    "pear",
    "pickup_truck",
    "pine_tree",
    "plain",
    "plate",
    "poppy",
    "porcupine",
    "possum",
    "rabbit",
    "raccoon",
    "ray",
    "road",
    "rocket",
    "rose",
    "sea",
    "seal",
    "shark",
    "shrew",
    "skunk",
    "skyscraper",
    "snail",
    "snake",
    "spider",
    "squirrel",
    "streetcar",
    "sunflower",
    "sweet_pepper",
    "table",
    "tank",
    "telephone",
    "television",
    "tiger",
    "tractor",
    "train",
    "trout",
    "tulip",
    "turtle",
    "wardrobe",
    "whale",
    "willow_tree",
    "wolf",
    "woman",
    "worm",
)
"""The 100 classes: `label` is an index into them."""

COARSE_LABELS = (
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
)
"""The 20 superclasses: `coarse_label` is an index into them."""


def class_names(num_classes: int) -> tuple[str, ...]:
    """Returns what classes are called by number: CIFAR-100's names if there are 100 of them.

    Data of another number of classes has been numbered anew, and its classes are called by their
    numbers, `"0"`, `"1"` and on.
    """
    if num_classes == len(FINE_LABELS):
        return FINE_LABELS
    return tuple(str(number) for number in range(num_classes))


def superclass_names(num_classes: int, num_superclasses: int) -> tuple[str, ...]:
    """Returns what superclasses are called by number: CIFAR-100's names if there are 100 classes.

    Those of other data are called by their numbers.
    """
    if num_classes == len(FINE_LABELS):
        return COARSE_LABELS
    return tuple(str(number) for number in range(num_superclasses))
