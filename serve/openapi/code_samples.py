"""Code samples that call a route from a shell, JavaScript, Python and Go. Each runs as it stands, where `SEGUE_URL` and
the key that it names are in the environment."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

Key = Literal["write", "server", "none"]

_VARIABLE: Final[dict[Key, str]] = {"write": "SEGUE_WRITE_KEY", "server": "SEGUE_SERVER_KEY", "none": ""}


def samples(method: str, path: str, key: Key, body: Any) -> list[dict[str, str]]:
    """One for each language; `path` has its parameters filled in, `body` is None where there is none."""
    made = {"Shell": _curl, "JavaScript": _javascript, "Python": _python, "Go": _go}
    labels = {"Shell": "curl", "JavaScript": "JavaScript", "Python": "Python", "Go": "Go"}
    return [
        {"lang": lang, "label": labels[lang], "source": make(method, path, _VARIABLE[key], body)}
        for lang, make in made.items()
    ]


def _curl(method: str, path: str, variable: str, body: Any) -> str:
    lines = [f'curl -sS -X {method} "$SEGUE_URL{path}"']
    if variable:
        lines.append(f'-H "Authorization: Bearer ${variable}"')
    if body is not None:
        quoted = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{quoted}'"]
    return " \\\n  ".join(lines)


def _javascript(method: str, path: str, variable: str, body: Any) -> str:
    headers = [f"Authorization: `Bearer ${{process.env.{variable}}}`"] if variable else []
    lines = [f'const answer = await fetch(process.env.SEGUE_URL + "{path}", {{', f'  method: "{method}",']
    if body is not None:
        headers.append('"Content-Type": "application/json"')
    if headers:
        lines.append(f"  headers: {{ {', '.join(headers)} }},")
    if body is not None:
        lines.append(f"  body: JSON.stringify({_indented(body, '  ')}),")
    return "\n".join([*lines, "});", "console.log(answer.status, await answer.text());"])


def _python(method: str, path: str, variable: str, body: Any) -> str:
    given = [f'    "{method}",', f'    os.environ["SEGUE_URL"] + "{path}",']
    if variable:
        given.append(f'    headers={{"Authorization": f"Bearer {{os.environ[\'{variable}\']}}"}},')
    if body is not None:
        given.append(f"    json={_python_value(body)},")
    lines = ["import os", "", "import httpx", "", "answer = httpx.request(", *given, ")"]
    return "\n".join([*lines, "print(answer.status_code, answer.text)"])


def _go(method: str, path: str, variable: str, body: Any) -> str:
    reader = "nil" if body is None else "strings.NewReader(`" + json.dumps(body, ensure_ascii=False) + "`)"
    packages = ["fmt", "io", "net/http", "os", *(["strings"] if body is not None else [])]
    lines = ["package main", "", "import (", *(f'\t"{each}"' for each in packages), ")", "", "func main() {"]
    lines += [f'\trequest, err := http.NewRequest("{method}", os.Getenv("SEGUE_URL")+"{path}", {reader})']
    lines += ["\tif err != nil {", "\t\tpanic(err)", "\t}"]
    if variable:
        lines.append(f'\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("{variable}"))')
    if body is not None:
        lines.append('\trequest.Header.Set("Content-Type", "application/json")')
    lines += ["\tanswer, err := http.DefaultClient.Do(request)", "\tif err != nil {", "\t\tpanic(err)", "\t}"]
    lines += ["\tdefer answer.Body.Close()", "\ttext, _ := io.ReadAll(answer.Body)"]
    return "\n".join([*lines, "\tfmt.Println(answer.StatusCode, string(text))", "}"])


def _indented(body: Any, by: str) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False).replace("\n", f"\n{by}")


def _python_value(body: Any) -> str:
    """A JSON value as Python source. A body holds plain data alone, whose `repr` is such source."""
    return repr(body)
