from reid_tf.report.landmark_table import landmark_table

TRAINED = {"PCK": 0.8126, "PCK_by_joint": {"nose": 0.9, "right_wrist": 0.7252}, "images": 1200, "skipped_images": 3}
MEAN_POSE = {"PCK": 0.3, "PCK_by_joint": {"nose": None, "right_wrist": 0.0}, "images": 1200, "skipped_images": 3}


def test_a_row_a_joint_and_a_column_a_detector_in_percent():
    assert landmark_table({"trained": TRAINED, "mean pose": MEAN_POSE}) == "\n".join(
        [
            "| PCK, %      | trained | mean pose |",
            "| ----------- | ------: | --------: |",
            "| all         |    81.3 |      30.0 |",
            "| nose        |    90.0 |         - |",
            "| right wrist |    72.5 |       0.0 |",
            "| images      |    1200 |      1200 |",
        ]
    )


def test_nothing_that_could_be_compared():
    none = {"PCK": None, "PCK_by_joint": {"nose": None}, "images": 0, "skipped_images": 5}
    assert [line.split("|")[2].strip() for line in landmark_table({"trained": none}).splitlines()[2:]] == [
        "-",
        "-",
        "0",
    ]
