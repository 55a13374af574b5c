import numpy as np

from components.model_report.mistakes import Confusion, confusions, lost_images


def test_confusions_are_those_that_the_student_makes_more_often():
    #                  0 as 1, thrice    0 as 2  1 as 0  right  2 as 0, twice
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    student = np.array([1, 1, 1, 2, 0, 1, 0, 0])
    teacher = np.array([1, 0, 0, 2, 0, 0, 2, 2])
    assert confusions(labels, student, teacher, most=20) == [
        Confusion(label=0, predicted=1, student=3, teacher=1),
        Confusion(label=2, predicted=0, student=2, teacher=0),
    ]
    assert len(confusions(labels, student, teacher, most=1)) == 1


def test_equal_differences_go_by_the_students_count():
    labels = np.array([0, 0, 0, 1])
    student = np.array([2, 2, 2, 2])
    teacher = np.array([0, 2, 2, 1])
    assert confusions(labels, student, teacher, most=20) == [
        Confusion(0, 2, student=3, teacher=2),
        Confusion(1, 2, student=1, teacher=0),
    ]


def test_a_perfect_student_has_no_confusion():
    labels = np.array([0, 1, 2])
    assert confusions(labels, labels, np.array([1, 2, 0]), most=20) == []


def test_lost_images_are_wrong_of_the_student_alone_the_surest_first():
    labels = np.array([0, 0, 1, 1, 1])
    #                   wrong        right       wrong, surer  wrong       wrong
    student = np.array([[0.4, 0.6], [0.9, 0.1], [0.7, 0.3], [0.8, 0.2], [0.7, 0.3]])
    #                   right        right       right        wrong       right
    teacher = np.array([[0.8, 0.2], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.1, 0.9]])
    assert lost_images(labels, student, teacher, most=24).tolist() == [2, 4, 0]
    assert lost_images(labels, student, teacher, most=1).tolist() == [2]
    assert lost_images(labels, teacher, teacher, most=24).tolist() == []
