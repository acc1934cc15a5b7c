"""`make check`'s own rules about files find what they are there to find."""

from pathlib import Path

import pytest

from scripts import rules


def find_broken(folder: Path, name: str, text: str) -> list[str]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return list(rules.find_broken(folder, [path]))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url " + "https://index.example.org/simple",
        "--extra-" + "index-url=https://index.example.org/simple",
        "wget https://" + "files.index.example.org/packages/a/b.whl",
        '"resolved": ' + '"https://npm.example.org/a.tgz"',
    ],
)
def test_address_of_a_package_index_is_found(tmp_path: Path, line: str) -> None:
    assert "names a package index" in "".join(find_broken(tmp_path, "Dockerfile", f"FROM x\n{line}\n"))


@pytest.mark.parametrize("line", ['pip install --index-url "$INDEX"', "https://gateway.example.org/resource_server/"])
def test_other_addresses_are_not(tmp_path: Path, line: str) -> None:
    assert find_broken(tmp_path, "README.md", line) == []


def test_path_of_the_checkout_is_found(tmp_path: Path) -> None:
    assert "path of one machine" in "".join(find_broken(tmp_path, "a.md", f"see {tmp_path}/logs"))


def test_long_file_is_found(tmp_path: Path) -> None:
    assert "401 lines" in "".join(find_broken(tmp_path, "a.py", "x = 1\n" * 401))


def test_migration_may_be_long(tmp_path: Path) -> None:
    assert find_broken(tmp_path, "app/migrations/0001.py", "x = 1\n" * 401) == []


def test_files_of_more_than_the_median_are_found(tmp_path: Path) -> None:
    assert "half of the Python files" in "".join(find_broken(tmp_path, "a.py", "x = 1\n" * 91))


def test_broad_handlers_are_counted(tmp_path: Path) -> None:
    handler = "try:\n    f()\nexcept Exception:\n    g()\n"
    assert find_broken(tmp_path, "a.py", handler * 3) == []
    assert "4 handlers" in "".join(find_broken(tmp_path, "a.py", handler * 4))
