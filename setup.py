"""What setup.cfg cannot say: the configurations at the root are data of the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["reid_tf*"]), "reid_tf.configs"],
    package_dir={"reid_tf.configs": "configs"},
    package_data={"reid_tf": ["py.typed"], "reid_tf.configs": ["*.yaml", "*/*.yaml"]},
)
