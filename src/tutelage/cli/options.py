"""Options shared by several commands, and the parsing of their values."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from tutelage.core.answer_kinds import TASKS
from tutelage.core.errors import BadInput, printable
from tutelage.core.file_systems.paths import AnyPath, any_path, check_local, is_uri
from tutelage.softlabels.options import LOGGED_KINDS, REPEATED, RESTS

if TYPE_CHECKING:
    from tutelage.data.table_file import TableFile


class _Here(click.Path):
    """A path of this machine."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        check_local("the path" if param is None or param.name is None else param.name, value)
        return super().convert(value, param, ctx)


class _Anywhere(click.Path):
    """A path of this machine, or of another file system by its URI."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return any_path(value if is_uri(value) else cast(Path, super().convert(value, param, ctx)))


FOLDER = _Here(path_type=Path)
FILE = _Here(path_type=Path)
ROWS = _Anywhere(path_type=Path)
RECORDING = _Anywhere(path_type=Path)

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
data_option = click.option(
    "--data",
    type=ROWS,
    required=True,
    multiple=True,
    help="File of rows: .parquet, .csv, .tsv, .jsonl, .npy, or .npz with the rows as X and others by name, such as the truth; also a "
    "folder or a pattern in quotes, and any of them by a URI such as s3://bucket/rows/. Repeat it for more files.",
)
truth_option = click.option(
    "--truth",
    "--target",
    multiple=True,
    metavar="COLUMN",
    help="Column of the ground truth; it is not used as a feature. Repeat it for several labels, matched by "
    "name, or for several values, in the order of the teacher's outputs.",
)
drop_option = click.option(
    "--drop", multiple=True, metavar="COLUMN", help="Column that is not a feature, such as an id. Repeat it for more columns."
)
text_option = click.option("--text", metavar="COLUMN", help="Column of texts, if each row is one text.")
dtype_option = click.option(
    "--dtype",
    multiple=True,
    metavar="COLUMN=TYPE",
    help="Type of a column: number, boolean, category, text, date or duration. By default what the file stores or its texts suggest.",
)
inputs_option = click.option(
    "--inputs",
    callback=lambda context, option, given: () if given is None else tuple(name.strip() for name in given.split(",") if name.strip()),
    metavar="NAMES",
    help="Columns of numbers or lists, or arrays of a .npz file, that are the inputs of each row, such as input_ids,attention_mask; by "
    "default those of an ONNX file that takes several.",
)


def network_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that names what builds a torch network, whose code no folder holds; its value is passed as `network`."""

    def builder(context: click.Context, option: click.Parameter, name: str | None) -> Any:
        return None if name is None else _network(name)

    return click.option("--network", metavar="MODULE:OBJECT", callback=builder, help=_NETWORK)(_refusing_other_code(command))


def networks_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that opens two folders; its value, one or two of them, is passed as `networks`."""

    def builders(context: click.Context, option: click.Parameter, names: tuple[str, ...]) -> tuple[Any, ...]:
        if len(names) > 2:
            raise click.BadParameter(f"{len(names)} networks are named; name one, or two: first that of RUN_A, then that of RUN_B.")
        return tuple(map(_network, names))

    text = f"{_NETWORK} Give it twice if the two students differ in it: first for RUN_A, then for RUN_B."
    option = click.option("--network", "networks", metavar="MODULE:OBJECT", multiple=True, callback=builders, help=text)
    return option(_refusing_other_code(command))


_NETWORK = "What builds the student's torch network, as it was named for `distill`, where the folder holds its weights alone."


def _network(name: str) -> Any:
    """What builds the network of the student that `--students` took by this name."""
    from tutelage.students.networks.torch_estimator import TorchEstimator
    from tutelage.teachers.files.open import imported

    given = imported(name, "module:object, which builds the network of the student")
    if isinstance(given, Mapping):
        if len(given) != 1:
            raise BadInput(
                f"{name} holds {len(given)} students ({', '.join(map(str, given))}), and --network takes what builds one network. "
                f"Name the function or class of that student, as {name.partition(':')[0]}:object."
            )
        given = next(iter(given.values()))
    given = given[0] if isinstance(given, tuple) and given else given  # with its search space
    return given.module if isinstance(given, TorchEstimator) else given


def _refusing_other_code(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, which stops where a network is built by other code than the one that was trained: its answers may be others."""

    @wraps(command)
    def refusing(**given: Any) -> Any:
        from tutelage.students.saved.own_code import OtherCode

        with warnings.catch_warnings():
            warnings.simplefilter("error", OtherCode)
            try:
                return command(**given)
            except OtherCode as error:
                found = str(error).removesuffix(OtherCode.REMEDY).replace("network=", "--network")
                raise BadInput(
                    f"{found}Name the code that it was trained with, or ask an exported file, such as predict --file student.onnx."
                ) from error

    return refusing


def on_option(what: str) -> Callable[..., Any]:
    """The option that names other processes.

    Args:
        what: they do, for the help.
    """

    def engine(context: click.Context, option: click.Parameter, text: str | None) -> Any:
        from tutelage.core.engines.engines import engine_named

        try:
            return None if text is None else engine_named(text)
        except BadInput as error:  # which says what is wrong with `on`
            raise BadInput(f"--{error}") from error

    return click.option("--on", metavar="WHERE", callback=engine, help=what)


ASIDE = "tutelage.aside"
"""Where the context of a command holds the columns that a settings file names for what this command does not do."""


@dataclass(frozen=True)
class RowsOptions:
    """The rows that the user names: files, and what their columns are for.

    Attributes:
        data: the files, folders or patterns.
        truth, drop, text, dtype, inputs: as for `TableFile.open`.
        aside: columns that a settings file names for what this command does not do, by the option, such as the group.
    """

    data: tuple[AnyPath, ...]
    truth: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    text: str | None = None
    dtype: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    aside: Mapping[str, str] = field(default_factory=dict)

    def open(self, *, weight: str | None = None) -> TableFile:
        """Open the files; `weight` is the column of the weights.

        Raises:
            as `TableFile.open`.
        """
        from tutelage.data.table_file import TableFile

        roles: dict[str, Any] = {"truth": self.truth, "drop": self.drop, "text": self.text, "inputs": self.inputs}
        return self.without_aside(TableFile.open(self.data, **roles, weight=weight, dtype=self.dtype))

    def without_aside(self, file: TableFile) -> TableFile:
        """The file, whose columns set aside are no features, as far as it has them."""
        named = [name for option, name in self.aside.items() if option != "time" or file.archive is not None]
        drop = [name for name in named if name in file.names and name not in (*file.roles, file.text)]
        return file.with_roles(truth=file.truth, drop=(*file.drop, *drop), text=file.text, weight=file.weight) if drop else file


def column_type(text: str) -> tuple[str, str]:
    """Parse COLUMN=TYPE; the name of the column may hold an equals sign itself."""
    name, sign, kind = text.rpartition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} is not the type of a column; write COLUMN=TYPE, for example zip=text.")
    return name, kind.strip()


def labels(text: str) -> tuple[Any, ...]:
    """Parse class names from a comma-separated or JSON list; if all are whole numbers, as tables read them, they become integers."""
    if text.startswith("["):
        try:
            return tuple(json.loads(text))
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not a valid JSON list ({error}).") from error
    names = [name.strip() for name in text.split(",")]
    return tuple(map(int, names)) if all(map(_is_whole, names)) else tuple(names)


def _is_whole(text: str) -> bool:
    """Whether a text is a whole number, spelt as one: 007 and +1 are texts, as in a table."""
    return text.removeprefix("-").isdecimal() and str(int(text)) == text


def token_classes(given: Sequence[str]) -> dict[str | None, Any]:
    """Parse TOKEN=CLASS; a token without a class is dropped, and the token null stands for a missing vote."""
    pairs = []
    for text in given:
        logged, sign, name = text.rpartition("=")
        if not sign or not logged:
            raise click.BadParameter(f"{text!r} is no mapping; write TOKEN=CLASS, for example ' Yes=yes', or TOKEN= to drop the token.")
        pairs.append((None if logged == "null" else logged, name or None))
    whole = all(name is None or _is_whole(name) for _, name in pairs)
    return {logged: int(name) if whole and name is not None else name for logged, name in pairs}


def class_weights(given: Sequence[str]) -> str | dict[str, float] | None:
    """Parse the weights of classes, CLASS=WEIGHT separated by commas or one by one; the word balanced stays."""
    if not given:
        return None
    if [text.strip() for text in given] == ["balanced"]:
        return "balanced"
    if any(text.strip() == "balanced" for text in given):
        raise click.BadParameter("balanced stands alone; write either balanced or CLASS=WEIGHT, for example fraud=10,ok=1.")
    found: dict[str, float] = {}
    for text in given:
        pairs = _CLASS_WEIGHTS.findall(text)
        if "".join(f"{name}={weight}{end}" for name, weight, end in pairs) != text:
            raise click.BadParameter(f"{text!r} is neither balanced nor weights of classes; write CLASS=WEIGHT, for example fraud=10,ok=1.")
        found |= {name.strip(): float(weight) for name, weight, _ in pairs}
    return found


_CLASS_WEIGHTS = re.compile(r"(.+?)=(\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*)(,|$)")
"""A class, its weight, and a comma or the end: names may hold commas."""


def prices(text: str) -> tuple[float, float]:
    """Parse the prices of a million tokens, IN,OUT."""
    try:
        of_input, of_output = map(float, text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no pair of prices; write IN,OUT, for example 0.25,2.") from error
    return of_input, of_output


def setting(text: str) -> tuple[str, Any]:
    """Parse NAME=VALUE; the value is a number, true, false, none, a list, or otherwise a text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} is not a setting; write NAME=VALUE, for example max_leaf_nodes=32.")
    return name.strip(), _value(value.strip())


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


MODEL_OPTIONS = (
    click.option("--trust", is_flag=True, help="Load a pickle or a skops file with unknown types; both can execute arbitrary code."),
    click.option(
        "--classes",
        type=labels,
        metavar="CLASSES",
        help="Class of each answer column in order, as a,b,c or a JSON list, for a teacher that does not name them.",
    ),
    click.option(
        "--kind", type=click.Choice(LOGGED_KINDS), help="What the answers are; required for a log, and for a teacher that does not say."
    ),
    click.option("--task", type=click.Choice(TASKS), help="The task, if it does not follow from the classes."),
    click.option(
        "--teacher-version",
        metavar="TEXT",
        help="Identifies a teacher that calls a service or holds what cannot be read; change it whenever its answers change.",
    ),
)
"""Options that describe a model as a teacher."""
CHAT_OPTIONS = (
    click.option(
        "--endpoint", metavar="URL", help="chat: only: address of the endpoint; the variable OPENAI_BASE_URL, or OpenAI's, by default."
    ),
    click.option("--key-from", metavar="NAME", help="chat: only: environment variable that holds the key.  [default: OPENAI_API_KEY]"),
    click.option("--prompt", type=FILE, help="chat: only: text file of the prompt, with {text} and {classes}."),
    click.option("--votes", type=click.IntRange(1), help="chat: only: answers to each text."),
    click.option("--logprobs", is_flag=True, default=None, help="chat: only: read the log-probabilities of the first token."),
    click.option("--max-tokens", type=click.IntRange(1), help="chat: only: the most tokens of an answer."),
    click.option("--price", type=prices, metavar="IN,OUT", help="chat: only: price of a million tokens of prompts, and of answers."),
    click.option(
        "--budget",
        metavar="AMOUNT",
        help='chat: only: the most that may be spent: an amount, with --price, or "200000 tokens" or "1000 requests".',
    ),
    click.option(
        "--cache",
        type=FOLDER,
        help="chat: only: folder of answers, which are not asked again; FOLDER.answers of the folder written or measured by default.",
    ),
    click.option(
        "--refused",
        type=click.Choice(["error", "uniform"]),
        help="chat: only: for a text whose answers name no class, stop, or take equal probabilities.",
    ),
)
"""Options that describe a language model behind an endpoint."""
TEACHER_OPTIONS = (
    *MODEL_OPTIONS,
    click.option("--answers", multiple=True, metavar="COLUMN", help="Log only: the column of answers; repeat it for one column per class."),
    click.option(
        "--content",
        multiple=True,
        metavar="COLUMN",
        help="Log only: a column of the row itself. Without it, line n belongs to row n.",
    ),
    click.option("--id", "id_column", metavar="COLUMN", help="Log only: a column of ids that the data has too."),
    click.option(
        "--rest",
        type=click.Choice(RESTS),
        help="Top-k log only: spread the remaining probability over the other classes, or drop it.",
    ),
    click.option(
        "--repeated", type=click.Choice(REPEATED), help="Log only: for different answers to the same row, stop or take their mean."
    ),
    click.option(
        "--mapping",
        multiple=True,
        metavar="TOKEN=CLASS",
        callback=lambda context, option, given: token_classes(given),
        help="Log only: the class that a token or vote stands for; without a class it is dropped, and null=CLASS names refusals.",
    ),
    click.option("--smoothing", type=float, help="Votes only: number added to the count of every class."),
)
"""Options that describe a model or a log."""


def teacher_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options above to a command, which receives them as one argument `source`."""
    return add_options((*TEACHER_OPTIONS, *CHAT_OPTIONS))(_with_source(command))


def teacher_options_without_chat(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that takes no language model behind an endpoint."""
    return add_options(TEACHER_OPTIONS)(_with_source(command))


def _with_source(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose options of a teacher are put into one argument `source`.

    A command with the option --teacher uses what a settings file says of the teacher only if there is one.
    """

    @wraps(command)
    def gathered(**given: Any) -> Any:
        from tutelage.workflow.open_answers import SourceOptions

        options = {option.name: given.pop(option.name) for option in fields(SourceOptions) if option.name in given}
        if given.get("teacher", "") is None:
            source_of = click.get_current_context().get_parameter_source
            options = {name: value for name, value in options.items() if source_of(name) is not ParameterSource.DEFAULT_MAP}
        return command(source=SourceOptions(**options), **given)

    return gathered


def refuse_given(*names: str, of: str) -> None:
    """Refuse options that do not apply, if they were given with the command; those of a settings file hold where they apply.

    Args:
        names: of the arguments.
        of: what they do not apply to.

    Raises:
        BadInput: one was given; the message names it.
    """
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
            raise BadInput(f"{option.opts[0]} does not apply to {of}; leave it out.")


def rows_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data, --truth, --drop, --text, --dtype and --inputs to a command, which receives them as one argument `given_rows`."""

    @wraps(command)
    def gathered(
        *, data: tuple[AnyPath, ...], truth: Any, drop: Any, text: str | None, dtype: Sequence[str], inputs: Any, **given: Any
    ) -> Any:
        aside = click.get_current_context().meta.get(ASIDE, {})
        return command(given_rows=RowsOptions(data, truth, drop, text, dict(map(column_type, dtype)), inputs, aside), **given)

    return add_options((data_option, truth_option, drop_option, text_option, dtype_option, inputs_option))(gathered)


def add_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add options to a command, in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


OPTION_ARGUMENTS = (
    "answers|ask_again|budget|cache|class_weight|classes|content|data|drop|endpoint|id|inputs|key_from|kind|labels|logprobs|mapping|max_drop|max_tokens|on|"
    "precision|price|prompt|refused|repeated|rest|smoothing|soft_weight|target_opset|task|teacher|teacher_version|text|top_k|trust|truth|unlabelled|votes|weight"
)
"""Python arguments named in error messages that are options of the command line."""
_IN_OTHER_WORDS = {
    "as_teacher(..., version=)": "--teacher-version",
    "version=": "--teacher-version",
    "read_answers(..., smoothing=1)": "--smoothing 1",
    "dtype='float64'": "--precision float64",
    "id_column= and ids=": "--id",
    "data=, ids= (an id for each row of data) and id_column= (the log's column of ids)": "--id, a column of ids that both have",
    "not in ids=": "not in the data's column --id",
    "repeated in ids=": "repeated in the data's column --id",
    "max_tokens=, temperature= or request=": "or max_tokens=",
    "tl.record(teacher, data, into=...), without on=": "tutelage record",
    "tl.plan(...).finish()": "tutelage plan ... --finish",
    "unproven=True": "--unproven",
    "leave network= out": "leave --network out",
}
"""What messages say of Python, and what the command line has in its place."""


def as_options(sentence: str) -> str:
    """Replace Python arguments in a message with options: `kind='logits'` becomes `--kind 'logits'`."""
    sentence = re.sub(r"dtype=\{'([^']*)': '(\w+)'\}", r"--dtype '\1=\2'", sentence)
    for said, option in _IN_OTHER_WORDS.items():
        sentence = re.sub(rf"(?<![(\w]){re.escape(said)}", option, sentence)
    return re.sub(
        rf"(?<![(\w])(?<!--dtype ')({OPTION_ARGUMENTS})=(?=([\w'\"\[])?)",
        lambda found: f"--{found[1].replace('_', '-')}{' ' if found[2] else ''}",
        sentence,
    )


def show_warning(text: str) -> None:
    """Write a warning to stderr as one sentence."""
    echo(f"tutelage: warning: {as_options(one_line(text))}", err=True)


def echo(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Write a text to standard output or standard error; control characters in the names that it quotes are written out."""
    click.echo(printable(text), nl=nl, err=err)


def one_line(text: str) -> str:
    """The text with its line breaks as spaces."""
    return " ".join(text.split())
