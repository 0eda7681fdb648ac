"""Roles as files: which text is for which, and what a broken file costs."""

from __future__ import annotations

import os

import pytest

from capswriter.dictation.roles import Endpoint, Roles

SHARED = Endpoint("http://127.0.0.1:11434/v1", "small", key_env="SHARED_KEY")


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def roles(tmp_path, write):
    write("translate.toml", 'prefixes = ["翻译", "translate"]\nprompt = "Translate."\n')
    write("formal.toml", 'prefixes = ["翻译成英文", "translate into"]\nprompt = "English."\n')
    write("polish.toml", 'prompt = "Polish."\noutput = "show"\n')
    return Roles(tmp_path, SHARED)


@pytest.mark.parametrize(
    ("said", "role", "text"),
    [
        ("翻译今天天气很好。", "translate", "今天天气很好。"),
        ("翻译，今天天气很好。", "translate", "今天天气很好。"),
        ("翻译： 今天 天气", "translate", "今天 天气"),
        ("翻译成英文：你好", "formal", "你好"),
        ("Translate, good morning!", "translate", "good morning!"),
        ("TRANSLATE  into. Latin", "formal", "Latin"),
        (" Polish: make it shine", "polish", "make it shine"),
        ("polish这一段话", "polish", "这一段话"),
        ("…polish 这一段话", "polish", "这一段话"),
        ("翻译“你好”", "translate", "“你好”"),
        ("polished silver", None, None),
        ("polish_it now", None, None),
        ("Please polish it", None, None),
        ("我想翻译这本书", None, None),
        ("翻译。", None, None),
        ("", None, None),
    ],
)
def test_the_beginning_of_a_text_says_whom_it_is_for(roles, said, role, text):
    match = roles.match(said)
    if role is None:
        assert match is None
        return
    assert (match.role.name, match.text, match.plain) == (role, text, said)


def test_the_settings_of_a_role(tmp_path, write):
    write(
        "a.toml",
        """
        name = "summary"
        prefixes = ["sum up"]
        prompt = '''Sum up.
        Shortly.'''
        output = "show"
        model = "large"
        base_url = "https://example.com/api/v1/"
        key_file = "~/key"
        temperature = 1
        max_tokens = 50
        first_piece_limit = 3
        time_limit = 20.5
        extra = { reasoning_effort = "low" }
        """,
    )
    match = Roles(tmp_path, SHARED).match("sum up: a long story")
    role = match.role
    assert (role.output, role.temperature, role.first_piece_limit) == ("show", 1.0, 3.0)
    assert match.endpoint == Endpoint(
        "https://example.com/api/v1/", "large", key_env=None, key_file="~/key"
    )
    assert match.endpoint.url == "https://example.com/api/v1/chat/completions"


def test_the_shared_key_goes_to_the_shared_endpoint_alone(tmp_path, write):
    write("other.toml", 'prompt = "x"\nbase_url = "http://192.0.2.1/v1"\n')
    write("same.toml", 'prompt = "x"\nmodel = "large"\n')
    roles = Roles(tmp_path, SHARED)
    assert roles.match("other text").endpoint.key_env is None
    assert roles.match("same text").endpoint == Endpoint(
        SHARED.base_url, "large", key_env="SHARED_KEY"
    )


def test_a_default_role_takes_what_is_for_no_other(roles, tmp_path, write):
    assert roles.match("Good morning") is None
    write("tidy.toml", 'default = true\nprompt = "Tidy up."\n')
    assert roles.match("Good morning").role.name == "tidy"
    assert roles.match("Polish it").role.name == "polish"
    assert roles.match("tidy things").text == "tidy things"
    write("tidy2.toml", 'default = true\nprompt = "Tidy up."\n')
    assert roles.match("Good morning").role.name == "tidy"
    assert "only one can be" in roles.warnings[0]


def test_files_that_change_come_and_go_are_taken_up(roles, tmp_path, write):
    write("polish.toml", 'prefixes = ["shine"]\nprompt = "Shine."\n')
    assert roles.match("polish it") is None
    assert roles.match("shine on").role.prompt == "Shine."
    (tmp_path / "polish.toml").unlink()
    assert roles.match("shine on") is None
    write("new.toml", 'prefixes = ["shine"]\nprompt = "New."\n')
    assert roles.match("shine on").role.prompt == "New."


def test_a_folder_that_is_not_there_has_no_roles_until_it_is(tmp_path):
    folder = tmp_path / "roles"
    roles = Roles(folder, SHARED)
    assert roles.match("polish it") is None
    assert roles.warnings == ()
    folder.mkdir()
    (folder / "polish.toml").write_text('prompt = "Polish."')
    assert roles.match("polish it")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prompt = ", "it is no TOML"),
        ("", "prompt is missing"),
        ('prompt = ""', "prompt"),
        ('prompt = "x"\ntemprature = 1', "did you mean temperature?"),
        ('prompt = "x"\nnonsense = 1', "there are name, prefixes"),
        ('prompt = "x"\noutput = "paste"', "output should be 'type' or 'show'"),
        ('prompt = "x"\ntemperature = "hot"', "temperature should be a valid number"),
        ('prompt = "x"\nprefixes = "x"', "prefixes should be a valid tuple"),
        ('prompt = "x"\nprefixes = []', "prefixes is empty"),
        ('prompt = "x"\ntime_limit = 0', "time_limit should be greater than 0"),
        ('prompt = "x"\nextra = {messages = []}', "messages cannot be given there"),
        ('prompt = "x"\napi_key = "sk-secret"', "a key does not belong into this file"),
        ('prompt = "x"\nbase_url = "ftp://x"', "base_url begins with http:// or https://"),
        ('prompt = "x"\nbase_url = "http://me:sk-secret@x/"', "holds no password"),
        ('prompt = "x"\nbase_url = "http://x:y/"', "base_url is no URL"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(roles, tmp_path, write, caplog, text, words):
    write("polish.toml", text)
    assert roles.match("polish it") is None
    assert roles.match("translate it")
    (warning,) = roles.warnings
    assert warning.startswith(f"{tmp_path / 'polish.toml'}: ")
    assert words in warning
    assert "\n" not in warning
    assert "sk-secret" not in warning
    roles.match("polish it")
    assert [record.getMessage() for record in caplog.records] == [warning]
    write("polish.toml", 'prompt = "Polish."')
    assert roles.match("polish it")
    assert roles.warnings == ()


def test_a_file_that_is_no_text(roles, tmp_path):
    (tmp_path / "polish.toml").write_bytes(b"\xff\xfe\x00\x00\xff")
    (tmp_path / "folder.toml").mkdir()
    assert roles.match("polish it") is None
    assert len(roles.warnings) == 2
    assert roles.match("translate it")


def test_without_an_endpoint_a_role_is_left_out(tmp_path, write):
    write("polish.toml", 'prompt = "x"')
    assert "no base_url is given" in Roles(tmp_path).warnings[0]
    assert "no model is given" in Roles(tmp_path, Endpoint("http://x")).warnings[0]


def test_a_prefix_of_two_roles_is_told(roles, write):
    write("zz.toml", 'prefixes = ["POLISH", "shine"]\nprompt = "x"')
    assert roles.match("polish it").role.prompt == "Polish."
    assert roles.match("shine on").role.name == "zz"
    assert "zz.toml: the prefix 'POLISH' is that of" in roles.warnings[0]


def test_a_look_at_a_hundred_roles_takes_little(tmp_path, write):
    for number in range(100):
        write(f"{number}.toml", f'prefixes = ["word{number}", "字{number}"]\nprompt = "x"')
        os.utime(tmp_path / f"{number}.toml", (1, 1))
    roles = Roles(tmp_path, SHARED)
    assert len(roles.names) == 100
    assert roles.match("word77 here").role.name == "77"
