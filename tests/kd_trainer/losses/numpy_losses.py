"""The losses once more, in float64 NumPy, straight from the papers and the references' code.

Nothing is shared with the library and nothing is clever: differences are broadcast, singular
values are an SVD's. Inputs are lists of arrays, student first.
"""

import numpy as np


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def unit(array, axis=-1):
    return array / np.linalg.norm(array, axis=axis, keepdims=True)


def flat(array):
    return array.reshape(len(array), -1)


def huber(x):
    return np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5)


def halve(feature, pool):
    batch, height, width, channels = feature.shape
    return pool(feature.reshape(batch, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


def kl_divergence(student, teacher, temperature):
    p, q = softmax(teacher[0] / temperature), softmax(student[0] / temperature)
    return (p * np.log(p / q)).sum(-1).mean()


def symmetric_divergence(student, teacher, temperature):
    both = [kl_divergence(*pair, temperature) for pair in [(student, teacher), (teacher, student)]]
    return np.mean(both)


def hint(student, teacher):
    return ((student[0] - teacher[0]) ** 2).mean()


def attention_maps(student, teacher):
    student, teacher = student[0], teacher[0]
    if student.shape[1] > teacher.shape[1]:
        student = halve(student, np.mean)
    return [unit(flat((one**2).sum(-1))) for one in (student, teacher)]


def attention_transfer(student, teacher):
    maps = attention_maps(student, teacher)
    return ((maps[0] - maps[1]) ** 2).mean()


def attention_distance(student, teacher):
    maps = attention_maps(student, teacher)
    return np.linalg.norm(maps[0] - maps[1], axis=1).sum() / maps[0].size


def activation_boundary(student, teacher, margin=1.0):
    total = 0.0
    for s, t in zip(student[0].ravel(), teacher[0].ravel(), strict=True):
        if s > -margin and t <= 0:
            total += (s + margin) ** 2
        elif s <= margin and t > 0:
            total += (s - margin) ** 2
    return total / len(student[0])


def partial_distance(student, teacher):
    total = 0.0
    for s, t in zip(student[0].ravel(), teacher[0].ravel(), strict=True):
        if s > t or t > 0:
            total += (s - t) ** 2
    return total / len(student[0])


def flow_of_solution_procedure(student, teacher):
    def matrices(first, second):
        if first.shape[1] > second.shape[1]:
            first = halve(first, np.max)
        return np.einsum("bhwi,bhwj->bij", first, second) / np.prod(first.shape[1:3])

    return ((matrices(*student) - matrices(*teacher)) ** 2).sum((1, 2)).mean()


def kd_svd(student, teacher, k=1, spare=3, scaled=True):
    def vectors(feature, count):
        matrix = feature.reshape(-1, feature.shape[-1])
        _, values, rows = np.linalg.svd(matrix, full_matrices=False)
        rows = rows[:count]
        if (feature >= 0).all():
            rows = rows * np.where(rows.sum(1) < 0, -1, 1)[:, None]
        return values[:count], rows.T

    def relation(now, before, sign):
        return np.exp(-((now[:, None] - sign * before[None]) ** 2) / 8)

    def difference(now, before, sign):
        relations = [relation(*both, sign) for both in zip(now, before, strict=True)]
        return ((relations[0] - relations[1]) ** 2).sum((0, 1))

    total = 0.0
    for sample in range(len(student[0])):
        before, positive = None, True
        for s, t in zip(student, teacher, strict=True):
            values, ours = vectors(t[sample], k)
            _, candidates = vectors(s[sample], k + spare)
            cosines = candidates.T @ ours
            best = abs(cosines).argmax(0)
            signs = np.sign(cosines[best, np.arange(k)])
            scale = values / np.linalg.norm(values) if scaled else 1
            now = (candidates[:, best] * signs * scale, ours * scale)
            positive = positive and (t[sample] >= 0).all()
            if before is not None:
                both = [difference(now, before, sign) for sign in (1, -1)]
                worse = np.maximum(*both)
                if positive:
                    worse[0] = both[0][0]
                total += worse.sum()
            before, positive = now, (t[sample] >= 0).all()
    return total / len(student[0])


def rkd_distance(student, teacher, self_pairs=False):
    def relative(points):
        points = flat(points)
        distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
        return distances / (distances if self_pairs else distances[distances > 0]).mean()

    return huber(relative(student[0]) - relative(teacher[0])).mean()


def rkd_angle(student, teacher):
    def cosines(points):
        points = flat(points)
        sides = points[None] - points[:, None]
        length = np.linalg.norm(sides, axis=-1, keepdims=True)
        sides = np.divide(sides, length, where=length > 0, out=np.zeros_like(sides))
        return np.einsum("ijd,ikd->ijk", sides, sides)

    return huber(cosines(student[0]) - cosines(teacher[0])).mean()


def jacobian_matching(student, teacher):
    return np.mean(
        [
            np.sqrt(2 - 2 * np.dot(s, t) / np.linalg.norm(s) / np.linalg.norm(t))
            for s, t in zip(flat(student[0]), flat(teacher[0]), strict=True)
        ]
    )


def factor_transfer(student, teacher):
    return abs(unit(flat(student[0])) - unit(flat(teacher[0]))).mean()


def variational_information(student, teacher):
    mean, log_variance = student
    return (log_variance + (teacher[0] - mean) ** 2 / np.exp(log_variance)).mean() / 2


def similarity_preserving(student, teacher):
    rows = [unit(flat(one) @ flat(one).T) for one in (student[0], teacher[0])]
    return ((rows[0] - rows[1]) ** 2).mean()


def correlation_congruence(student, teacher):
    error = abs(flat(student[0]) - flat(teacher[0]))
    return (error[:-1] * error[1:]).sum(1).mean()


def probabilistic_knowledge_transfer(student, teacher):
    def probabilities(points):
        kernel = (unit(flat(points)) @ unit(flat(points)).T + 1) / 2
        return kernel / kernel.sum(1, keepdims=True)

    s, t = probabilities(student[0]), probabilities(teacher[0])
    return (t * np.log((t + 1e-7) / (s + 1e-7))).mean()


def neuron_selectivity_transfer(student, teacher):
    def maps(feature):
        return unit(feature.reshape(len(feature), -1, feature.shape[-1]).transpose(0, 2, 1))

    def kernel(a, b):
        return ((a[:, :, None] * b[:, None]).sum(-1) ** 2).mean()

    s, t = maps(student[0]), maps(teacher[0])
    return kernel(s, s) + kernel(t, t) - 2 * kernel(s, t)


def decoupled(student, teacher, alpha, beta, temperature):
    """With the class that the teacher finds least likely as the true one."""
    p, q = softmax(teacher[0] / temperature), softmax(student[0] / temperature)
    true = np.eye(p.shape[1], dtype=bool)[p.argmin(1)]
    pt, qt = p[true], q[true]
    tckd = pt * np.log(pt / qt) + (1 - pt) * np.log((1 - pt) / (1 - qt))
    p, q = (one[~true].reshape(len(one), -1) for one in (p, q))
    p, q = (one / one.sum(1, keepdims=True) for one in (p, q))
    nckd = (p * np.log(p / q)).sum(1)
    return temperature**2 * (alpha * tckd + beta * nckd).mean()


def dist(student, teacher, temperature, axis):
    s, t = softmax(student[0] / temperature), softmax(teacher[0] / temperature)
    if axis == 0:
        s, t = s.T, t.T
    return 1 - np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(s, t, strict=True)])


def standardized_kl(student, teacher, temperature):
    both = [
        [(z - z.mean(1, keepdims=True)) / (1e-7 + z.std(1, ddof=1, keepdims=True))]
        for z in (student[0], teacher[0])
    ]
    return kl_divergence(*both, temperature)


def hierarchical_context(student, teacher):
    difference = student[0] - teacher[0]
    half = halve(difference, np.mean)
    parts = [(one**2).mean() for one in (difference, half, halve(half, np.mean))]
    return (parts[0] + parts[1] / 2 + parts[2] / 4) / 1.75
