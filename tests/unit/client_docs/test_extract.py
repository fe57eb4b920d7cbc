"""Documents of our own wording, taken apart."""

import pytest

from tests.support.client_docs.endings import Kind, UnreadableError
from tests.support.client_docs.extract import read

MARKED = """\
Lamps

How to switch lamps on and off.

Switching On

POST /api/v1/lamps/{id}/on

Takes the colour.

Request Body

NameTypeNeeded
colourstringYes
dimnumberNo
json
{
  "colour": "red"
}

Response

json
{
  "data": {"status": "ON"}
}
Careful

It gets hot.

By Hand

bash
curl -X POST http://lamps.example/on \\
  -H "Key: a" \\
  -d '{"colour": "it is \\"red\\""}'

typescript
GET /lamps?colour=red
FilterType
colourstring
  • red or blue
  • nothing else

http
POST /lamps
Key: a

{ "colour": "..." }

http
Key: a

typescript
https://lamps.example
/v1/lamps
/v2/lamps  (soon)
  • two versions

$
curl http://lamps.example

typescript
const lamp = lamps.get('a');
lamp.on();

The End
"""

BARE = """\
Lamps are switched by requests.
Lamp Kinds
Kind Colour Price tableWhite 3 coins floorYellow 4 coins
Switching
# The red one
curl -X POST http://lamps.example/on \\
-d '{
"colour": "red"
}'
{
"data": {
"status": "ON"
}
}
— Find the lamp
— Press
# The blue one
curl http://lamps.example
Programs
import { Lamps } from 'lamps';
const lamps = new Lamps({
url: 'http://lamps.example' // don't forget {
});
// Red
const lamp = await lamps.get(`${lamps.first} {`);
if (lamp.on) {
lamp.off();
}
// Blue
const lamp = await lamps.get('b');
lamp.on();
Price
Before:
coins: 10.00
lent: 0.00 (none)
After that you are poor.
"""


def test_a_marked_document_is_taken_apart() -> None:
    found = read("lamps", MARKED)
    assert [(snippet.name, snippet.part, snippet.operation, snippet.kind) for snippet in found.snippets] == [
        ("lamps/Switching On/1", "Request Body", "POST /api/v1/lamps/{id}/on", Kind.JSON),
        ("lamps/Switching On/2", "Response", "POST /api/v1/lamps/{id}/on", Kind.JSON),
        ("lamps/By Hand/1", "", "", Kind.SHELL),
        ("lamps/By Hand/2", "", "", Kind.HTTP),
        ("lamps/By Hand/3", "", "", Kind.HTTP),
        ("lamps/By Hand/4", "", "", Kind.HTTP),
        ("lamps/By Hand/5", "", "", Kind.ADDRESS),
        ("lamps/By Hand/6", "", "", Kind.SHELL),
        ("lamps/By Hand/7", "", "", Kind.SCRIPT),
    ]
    texts = [snippet.text for snippet in found.snippets]
    assert texts[0] == '{\n  "colour": "red"\n}'
    assert texts[2].endswith("""-d '{"colour": "it is \\"red\\""}'""")
    assert texts[3:7] == [
        "GET /lamps?colour=red",
        'POST /lamps\nKey: a\n\n{ "colour": "..." }',
        "Key: a",
        "https://lamps.example\n/v1/lamps\n/v2/lamps  (soon)",
    ]
    assert texts[8] == "const lamp = lamps.get('a');\nlamp.on();"
    assert all(MARKED.splitlines()[snippet.line - 1] == snippet.text.splitlines()[0] for snippet in found.snippets)


def test_the_tables_of_a_marked_document_keep_all_their_rows() -> None:
    found = read("lamps", MARKED)
    assert [(table.name, table.header, table.rows) for table in found.tables] == [
        ("lamps/Switching On/1", "NameTypeNeeded", ("colourstringYes", "dimnumberNo")),
        ("lamps/By Hand/1", "FilterType", ("colourstring",)),
    ]
    assert found.operations == ("POST /api/v1/lamps/{id}/on",)


def test_a_bare_document_is_taken_apart() -> None:
    found = read("lamps", BARE)
    assert [(snippet.name, snippet.kind, snippet.line) for snippet in found.snippets] == [
        ("lamps/Switching/1", Kind.SHELL, 5),
        ("lamps/Switching/2", Kind.JSON, 10),
        ("lamps/Switching/3", Kind.SHELL, 17),
        ("lamps/Programs/1", Kind.SCRIPT, 20),
        ("lamps/Programs/2", Kind.SCRIPT, 29),
        ("lamps/Price/1", Kind.FIGURES, 34),
    ]
    assert [(table.name, table.rows) for table in found.tables] == [
        ("lamps/Lamp Kinds/1", ("Kind Colour Price tableWhite 3 coins floorYellow 4 coins",))
    ]
    assert found.snippets[4].text.startswith("// Blue\nconst lamp"), "a name declared anew begins a program of its own"
    assert found.snippets[5].text == "coins: 10.00\nlent: 0.00 (none)"


@pytest.mark.parametrize("text", [MARKED, BARE])
def test_every_line_is_in_one_part(text: str) -> None:
    found = read("lamps", text)
    kept = [snippet.line + number for snippet in found.snippets for number in range(len(snippet.text.splitlines()))]
    kept += [table.line + number for table in found.tables for number in range(len(table.rows) + bool(table.header))]
    kept += [item.line for item in found.prose]
    assert len(kept) == len(set(kept))
    rest = {line for number, line in enumerate(text.splitlines(), 1) if number not in kept and line.strip()}
    titles = {"Lamps", "Switching On", "Request Body", "Response", "Careful", "By Hand", "The End"}
    titles |= {"Lamp Kinds", "Switching", "Programs", "Price", "POST /api/v1/lamps/{id}/on"}
    assert rest <= titles | {"json", "bash", "http", "typescript", "$"}
    assert found.missed() == []


@pytest.mark.parametrize(
    "line",
    [
        "curl http://lamps.example",
        "-H 'Key: a'",
        '"colour": "red",',
        "const lamp = 1;",
        "lamp.on();",
        "}",
        "});",
        "HTTP/1.1 200 OK",
        "GET /lamps?colour=red",
        "Authorization: Bearer a",
        "coins: 10.00",
    ],
)
def test_code_that_no_mark_announces_is_missed_and_told(line: str) -> None:
    found = read("lamps", MARKED.replace("It gets hot.", line))
    assert found.missed() == [f"lamps:29: {line}"]


@pytest.mark.parametrize("text", ["{'a': 1\n}", "curl -d '{", "const lamp = lamps.get(", "[1,"])
def test_what_never_ends_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="line 2"):
        read("lamps", f"A lamp.\n{text}")


def test_rows_are_told_apart_by_what_they_begin_with() -> None:
    table = read("lamps", MARKED).tables[0]
    assert table.without(["colourstringYes", "dim"]) == ["dimnumberNo"]
    assert table.without(["colourstringYes", "dimnumberNo"]) == []
    assert table.without([]) == list(table.rows)
