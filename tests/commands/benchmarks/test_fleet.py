import pytest

from tests.made_exports import attribute_encoder, write_data, write_run


@pytest.mark.slow
def test_both_engines_have_a_row(run, tmp_path):
    made = write_run(tmp_path / "run", attribute_encoder(), write_data(tmp_path / "data"))
    result = run("benchmark", "fleet", "--run", made, "--count", 200, "--rounds", 1)
    assert result.returncode == 0, result.stderr
    rows = [line.split("|")[1].strip() for line in result.stdout.splitlines() if line.startswith("|")][2:]
    assert rows == ["plain", "on ray"]
