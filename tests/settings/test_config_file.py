from __future__ import annotations

import pytest

from capswriter.settings import ClientConfig, ServerConfig

TRAP = "open('executed', 'w').close()\nraise SystemExit('should not run')\n"


def test_the_flag_counts_before_the_variable_the_directory_and_the_user(place, tmp_path):
    def at(port, path=None):
        return place.config(f"server = ServerConfig(port={port})", path)

    flag, variable = at(1, tmp_path / "flag.py"), at(2, tmp_path / "variable.py")
    here, user = at(3), at(4, place.user / "config.py")
    environment = {"CAPSWRITER_CONFIG": str(variable)}
    effective = place.load(config_file=flag, environment=environment)
    assert (effective.value.port, effective.config_file) == (1, flag)
    effective = place.load(environment=environment)
    assert (effective.value.port, effective.config_file) == (2, variable)
    effective = place.load()
    assert (effective.value.port, effective.config_file) == (3, here)
    here.unlink()
    effective = place.load()
    assert (effective.value.port, effective.config_file) == (4, user)
    assert effective.origin["port"] == f"{user}:2"
    user.unlink()
    assert place.load().config_file is None


@pytest.mark.parametrize(
    "source",
    [
        TRAP,
        "import os\nfrom . import capswriter\n" + TRAP,
        "import capswriters\n" + TRAP,
        "# from capswriter.settings import ServerConfig\nprint 'Python 2'\n",
        "text = 'from capswriter'\n(",
    ],
)
def test_another_project_s_config_py_is_never_run(place, monkeypatch, source):
    monkeypatch.chdir(place.directory)
    (place.directory / "config.py").write_text(source)
    assert place.load().config_file is None
    assert not (place.directory / "executed").exists()


@pytest.mark.parametrize(
    "source",
    [
        "import capswriter.settings as s\nserver = s.ServerConfig(port=1)",
        "import os, capswriter.settings\nserver = capswriter.settings.ServerConfig(port=1)",
        "if True:\n    from capswriter.settings import ServerConfig\nserver = ServerConfig(port=1)",
        "from capswriter import settings as s\nserver: s.ServerConfig = s.ServerConfig(\nport=1\n)",
    ],
)
def test_however_it_imports_capswriter_it_is_ours(place, source):
    (place.directory / "config.py").write_text(source)
    assert place.load().value.port == 1


@pytest.mark.parametrize("name", ["missing.py", "."])
def test_a_config_that_is_no_file_is_refused(place, name):
    path = place.directory / name
    said = place.refusal(config_file=path)
    assert said == f"--config: {path} is not allowed: the path of a config.py"
    said = place.refusal(environment={"CAPSWRITER_CONFIG": name})
    assert said == f"environment CAPSWRITER_CONFIG: {name} is not allowed: the path of a config.py"


def test_each_key_s_line_is_its_origin(place):
    place.config("""\
        server = ServerConfig(port=1)  # not in force
        client = ClientConfig(
            jobs=3,

            timeout=5,
        )
        server = ServerConfig(
            host="a",
            **{"port": 2},
        )
        """)
    server = place.load()
    assert server.value == ServerConfig(host="a", port=2)
    assert (server.origin["host"], server.origin["port"]) == ("config.py:9", "config.py:8")
    client = place.load(ClientConfig)
    assert (client.origin["jobs"], client.origin["timeout"]) == ("config.py:4", "config.py:6")


def test_a_section_from_elsewhere_has_the_file_as_origin(place):
    place.config("for server in [ServerConfig(port=2)]: pass")
    assert place.load().origin["port"] == "config.py"


def test_config_py_knows_where_it_is(place):
    place.config("""\
        from pathlib import Path
        server = ServerConfig(model_dir=Path(__file__).parent / "models")
        """)
    assert place.load().value.model_dir == place.directory / "models"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "server = ServerConfig(\n    host='a',\n    port=70000,\n)",
            "config.py:4: port: 70000 is not allowed: 0 to 65535 (0: any free port)",
        ),
        (
            "server = ServerConfig(\n    host='a',\n    prot=1,\n)",
            "config.py:4: prot is not a setting; did you mean port?",
        ),
        (
            "client = ClientConfig(zzz=1)\nserver = ServerConfig()",
            (
                "config.py:2: zzz is not a setting; allowed: server, token, language, context, "
                "formats, output_dir, jobs, timeout, log_level"
            ),
        ),
        (
            "def make(**keys):\n    return ServerConfig(**keys)\nserver = make(threads=0)",
            "config.py:3: threads: 0 is not allowed: a whole number from 1",
        ),
        ("server = ServerConfig(\n    port=1 2\n)", "config.py:3: SyntaxError: "),
        ("server = ServerConfig(port=1, port=2)", "config.py:2: SyntaxError: "),
        ("return 1", "config.py:2: SyntaxError: "),
        ("\nserver = 1 / 0", "config.py:3: ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')", "config.py:2: ValueError: two lines"),
        ("raise SystemExit", "config.py:2: SystemExit"),
        ("import a_module_nobody_has", "config.py:2: ModuleNotFoundError: No module named "),
        ("server = ServerConfig(port=None)", "config.py:2: port: None is not allowed: 0 to 65535"),
        ("server = ServerConfig(6016)", "config.py:2: TypeError: "),
        (
            "client = ClientConfig()",
            "config.py: server is missing; allowed: server = ServerConfig(...)",
        ),
        (
            "client = ClientConfig()\nserver = {'port': 1}",
            "config.py:3: server is a dict; allowed: server = ServerConfig(...)",
        ),
        ("server = ClientConfig()", "config.py:2: server is a ClientConfig; allowed: server = "),
        ("server = ServerConfig", "config.py:2: server is ServerConfig; allowed: server = "),
        (
            "from pydantic import BaseModel\nclass Mine(BaseModel):\n    a: int\nMine()",
            "config.py:5: ValidationError: 1 validation error for Mine a Field required",
        ),
    ],
)
def test_a_mistake_is_one_line_with_file_and_line(place, source, said):
    place.config(source)
    assert place.refusal().startswith(said)


def test_a_config_py_that_is_no_text_is_refused(place):
    path = place.directory / "named.py"
    path.write_bytes(b"from capswriter import x\0\xff")
    assert place.refusal(config_file=path).startswith("named.py:1: ")


def test_a_config_named_in_the_home_directory_is_found(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place.directory))
    monkeypatch.setenv("USERPROFILE", str(place.directory))
    path = place.config("server = ServerConfig(port=5)", place.directory / "mine.py")
    effective = place.load(environment={"CAPSWRITER_CONFIG": "~/mine.py"})
    assert effective.config_file == path
