"""What a package that is not installed is answered with."""

import pytest

from reid_tf.errors import InputError, require_package


def test_a_missing_package_is_named_with_what_installs_it():
    with pytest.raises(InputError) as error:
        require_package("no-such-package", "--format x")
    assert (
        str(error.value)
        == "--format x needs the package 'no-such-package', which is not installed: pip install no-such-package."
    )


def test_an_extra_installs_it_where_there_is_one():
    with pytest.raises(InputError, match=r"is not installed: pip install 'reid_tf\[x\]'\.$"):
        require_package("no-such-package", "--format x", "'reid_tf[x]'")


def test_an_installed_package_with_a_hyphen_is_found():
    require_package("keras-tuner", "tuning")


@pytest.mark.parametrize("package", ["google.no_such_package", "no_such_package.inside"])
def test_a_package_inside_another_is_named(package):
    require_package("google.protobuf", "reading", "protobuf")
    with pytest.raises(InputError, match=rf"^reading needs the package '{package}', .*: pip install such\.$"):
        require_package(package, "reading", "such")


def test_a_message_is_one_line():
    assert str(InputError("Received: 'a\n\nb\u2028c'.")) == "Received: 'a  b c'."
