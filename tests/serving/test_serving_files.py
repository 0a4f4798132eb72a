"""The files for TensorFlow Serving agree with its formats, with each other and with the client."""

import inspect
import re
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from reid_tf.serving.client import Client

FOLDER = Path(__file__).resolve().parents[2] / "serving"
# Of Serving's BatchingParameters and MonitoringConfig, which its Python package lacks.
BATCHING = {
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "num_batch_threads",
    "thread_pool_name",
    "allowed_batch_sizes",
    "pad_variable_length_inputs",
}
FLAGS = {
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "rest_api_timeout_in_ms",
}


@pytest.fixture(scope="module")
def service():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["reid"]


@pytest.fixture(scope="module")
def flags(service):
    return dict(argument.removeprefix("--").split("=") for argument in service["command"])


@pytest.fixture(scope="module")
def model():
    parsed = text_format.Parse((FOLDER / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    (found,) = parsed.model_config_list.config
    return found


def default(name):
    return inspect.signature(Client).parameters[name].default


def fields(text):
    """The fields at the top of a text proto: "name { value: 3 }" or "name: 3"."""
    text = re.sub(r"#.*", "", text)
    pattern = r"(\w+)\s*(?::\s*(\w+)|\{\s*value:\s*(\d+)\s*\})\s*"
    assert not re.sub(pattern, "", text).strip()
    return {name: plain or wrapped for name, plain, wrapped in re.findall(pattern, text)}


def test_the_model_is_the_folder_that_is_mounted_and_the_one_the_client_asks_for(service, model):
    mounted = dict(volume.removesuffix(":ro").rsplit(":", 1)[::-1] for volume in service["volumes"])
    assert mounted == {"/models/reid": "${REID_TF_EXPORT:-../runs/export}", "/config": "."}
    assert (model.base_path, model.model_platform) == ("/models/reid", "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1
    assert model.name == default("model_name")
    assert f"/v1/models/{model.name} " in service["healthcheck"]["test"][-1]


def test_the_flags_name_files_that_are_there(flags):
    assert set(flags) == FLAGS
    for flag, name in [
        ("model_config_file", "models.config"),
        ("batching_parameters_file", "batching.config"),
        ("monitoring_config_file", "monitoring.config"),
    ]:
        assert flags[flag] == f"/config/{name}"
        assert (FOLDER / name).is_file()


def test_ports_version_and_timeout(service, flags):
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert re.fullmatch(r"tensorflow/serving:2\.\d+\.\d+", service["image"])
    assert default("url") == "http://localhost:8501"
    assert float(flags["rest_api_timeout_in_ms"]) == 1000 * default("timeout_s")


def test_the_server_can_read_and_calculate_and_nothing_else(service):
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == service["memswap_limit"] == "${REID_TF_MEMORY:-4g}"
    assert service["cpus"] == "${REID_TF_CPUS:-2}"
    assert 0 < service["pids_limit"] <= 1024
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    assert [folder.partition(":")[0] for folder in service["tmpfs"]] == ["/tmp"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & set(service)


def test_the_clients_batches_fit(flags):
    batching = fields((FOLDER / "batching.config").read_text())
    assert set(batching) <= BATCHING
    assert int(batching["max_batch_size"]) >= default("batch_size")
    assert batching["pad_variable_length_inputs"] == "false"  # padded pixels would change embeddings in silence
    assert flags["enable_batching"] == "true"


def test_monitoring_has_its_two_fields():
    text = re.sub(r"#.*", "", (FOLDER / "monitoring.config").read_text())
    inside = re.fullmatch(r"\s*prometheus_config \{(.*)\}\s*", text, re.DOTALL)[1]
    assert dict(re.findall(r"(\w+): (\S+)", inside)) == {"enable": "true", "path": '"/monitoring/prometheus/metrics"'}


def test_the_proxy_asks_and_serves_what_the_client_asks_for(service, model):
    class Loader(yaml.SafeLoader):
        """Reads what takes a key of the first file away, too."""

    Loader.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))
    services = yaml.load((FOLDER / "compose.scaled.yaml").read_text(), Loader)["services"]
    assert services["reid"]["ports"] == []
    rest = next(port for port in service["ports"] if port.endswith(":8501"))
    assert services["proxy"]["ports"] == [rest]
    config = (FOLDER / "haproxy.cfg").read_text()
    assert services["proxy"]["volumes"] == ["./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro"]
    assert f"httpchk GET /v1/models/{model.name}\n" in config
    assert "bind :8501\n" in config
    assert re.search(r"server-template reid \d+ reid:8501 ", config)
    assert default("url") == "http://localhost:8501"


@pytest.mark.parametrize("name", ["milvus.compose.yaml", "milvus.distributed.compose.yaml"])
def test_a_gallerys_server_is_open_to_this_machine_alone(name):
    services = yaml.safe_load((FOLDER / name).read_text())["services"]
    opened = [port for one in services.values() for port in one.get("ports", ())]
    assert opened == ["127.0.0.1:19530:19530"]
    images = {one["image"] for one in services.values() if "milvusdb" in one["image"]}
    assert len(images) == 1
    assert not any(one["image"].endswith(":latest") for one in services.values())
