"""A page in the browser to search a gallery: by picture, in words, by camera and time; and to say who is who.

Pictures are read by this process, made small and sent as new files: no file of the machine
itself is served.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import hmac
import html
import shutil
import tempfile
import threading
import zoneinfo
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from reid_tf.datasets.readers.image_file import FORMATS, decode
from reid_tf.encoder.explain import similarity_map
from reid_tf.errors import InputError
from reid_tf.gallery.gallery import Gallery
from reid_tf.gallery.marks import Marks
from reid_tf.gallery.pictures import Pictures, shrunk
from reid_tf.gallery.searching import Result, by_person
from reid_tf.options import unknown
from reid_tf.report.heat import heat

# Fonts of the system: none is fetched from elsewhere.
THEME = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = """
.results .grid-wrap { overflow: visible; height: auto; min-height: 0 !important; max-height: none !important; }
.results .grid-container { grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)) !important; }
.results .thumbnail-item { aspect-ratio: auto; height: auto; max-width: 170px; }
.results .thumbnail-item img { height: 150px; }
.results .caption-label { position: static; max-width: none; border: 0; white-space: normal; text-align: center; }
footer { display: none !important; }
"""
SHOW_SIDE = "() => { document.getElementById('side').scrollIntoView({behavior: 'smooth', block: 'nearest'}); }"
OLD = 3600  # seconds after which pictures that were sent are removed from the temporary folder


@dataclasses.dataclass(frozen=True, eq=False)
class Query:
    """What was searched with.

    Args:
        id: str. Of the row, or made of the picture's content; "" for words alone.
        vector: float32 [dim], or None for words alone.
        picture: uint8 [height, width, 3], or None for words alone.
    """

    id: str = ""
    vector: np.ndarray | None = None
    picture: np.ndarray | None = None


def create_page(gallery: Gallery, pictures: Pictures, marks: Marks, zone: str = "UTC") -> gr.Blocks:
    """Makes the page.

    Args:
        gallery: `Gallery`, open, with its encoder.
        pictures: `Pictures` that may be shown.
        marks: `Marks`, where answers are kept.
        zone: str. Of the times that are typed and shown, such as "Europe/Berlin".

    Returns:
        gradio.Blocks, for `serve_page()` or to be mounted in an application.

    Raises:
        InputError: there is no such zone.
    """
    if zone not in zoneinfo.available_timezones():
        raise InputError(unknown("time zone", zone, sorted(zoneinfo.available_timezones())))
    return _Page(gallery, pictures, marks, zoneinfo.ZoneInfo(zone)).blocks


def serve_page(page: gr.Blocks, host: str = "127.0.0.1", port: int = 8700, password: str | None = None) -> None:
    """Shows the page until the process is stopped.

    Args:
        page: gradio.Blocks.
        host: str. Address to listen at.
        port: int.
        password: str, or None. What visitors must give, under any name.
    """

    def knows(name: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (password or "").encode())

    page.launch(
        server_name=host,
        server_port=port,
        auth=None if password is None else knows,
        theme=THEME,
        css=CSS,
        footer_links=[],
        share=False,
        ssr_mode=False,
        quiet=True,
        max_file_size="32mb",
    )


class _Page:
    def __init__(self, gallery: Gallery, pictures: Pictures, marks: Marks, zone: zoneinfo.ZoneInfo) -> None:
        self.gallery, self.pictures, self.marks, self.zone = gallery, pictures, marks, zone
        self.lock = threading.Lock()  # one encoder and one store: visitors take turns
        self.copies = tempfile.TemporaryDirectory(prefix="reid-tf-answers-")
        self.blocks = self._blocks()

    def _blocks(self) -> gr.Blocks:
        cameras = sorted(self.gallery.stats()["cameras"])
        encoder = self.gallery.encoder
        words = encoder is not None and encoder.attributes is not None
        with gr.Blocks(title="Gallery", analytics_enabled=False, delete_cache=(OLD, OLD), fill_width=True) as blocks:
            query, chosen, found = gr.State(Query()), gr.State(None), gr.State([])
            with gr.Row():
                with gr.Column(scale=1, min_width=280):
                    upload = gr.File(label="Picture of somebody", file_types=["image"], height=130)
                    preview = gr.Image(visible=False, interactive=False, height=200, show_label=False, buttons=[])
                    text = gr.Textbox(
                        "", label="In words", placeholder="woman, red top, backpack", visible=words, elem_id="words"
                    )
                    with gr.Accordion("Filters", open=False):
                        camera = gr.Dropdown(cameras, label="Cameras", multiselect=True)
                        not_camera = gr.Dropdown(cameras, label="Not these cameras", multiselect=True)
                        since, until = (
                            gr.DateTime(label=f"{name} ({self.zone.key})", timezone=self.zone.key)
                            for name in ("Since", "Before")
                        )
                        person = gr.Textbox("", label="Person")
                        count = gr.Slider(1, 100, 20, step=1, label="Results")
                        rerank = gr.Checkbox(label="Re-rank by neighbours")
                    start = gr.Button("Search", variant="primary")
                    message = gr.Markdown(elem_id="message")
                with gr.Column(scale=3, min_width=280):
                    side = gr.Column(visible=False, elem_id="side")
                    with side:
                        with gr.Row():
                            shown = [
                                gr.Image(label=label, interactive=False, height=240, min_width=90, buttons=[])
                                for label in ("Searched with", "Found", "What makes it alike")
                            ]
                        told = gr.Markdown()
                        with gr.Row():
                            again = gr.Button("Search with it", min_width=120)
                            same = gr.Button("Same person", min_width=120)
                            different = gr.Button("Not the same", min_width=120)
                        with gr.Row():
                            name = gr.Textbox("", label="Who this is", scale=2, min_width=160)
                            naming = gr.Button("Keep the name", min_width=120)
                        marked = gr.Markdown(elem_id="marked")
                    self._results(found, query, [chosen, side, *shown, told, name])
                    answers = gr.DownloadButton("Download the answers", self._answers(), visible=bool(len(self.marks)))
            upload.upload(self._preview, upload, preview, api_visibility="private")
            upload.clear(lambda: gr.Image(visible=False), None, preview, api_visibility="private")
            wanted = [text, camera, not_camera, since, until, person, count, rerank]
            results = [query, found, message, side]
            for event in (start.click, text.submit, person.submit):
                event(self._search, [upload, *wanted], results, api_visibility="private")
            again.click(self._search_again, [chosen, *wanted], results, api_visibility="private")
            for button, value in ((same, True), (different, False)):
                button.click(
                    lambda query, chosen, value=value: self._mark(query, chosen, value),
                    [query, chosen],
                    [marked, answers],
                    api_visibility="private",
                )
            naming.click(self._name, [chosen, name, found], [found, marked], api_visibility="private")
        return blocks

    def _results(self, found: gr.State, query: gr.State, side: Sequence[Any]) -> None:
        """Draws the results, those of one person under one heading, whenever they change."""

        @gr.render(inputs=found)
        def draw(results: list[Result]) -> None:
            for heading, group in headed(results):
                gr.HTML(f"<h3>{html.escape(heading)}</h3>")
                grid = gr.Gallery(
                    [(self.pictures.small(result.entry.path), self.caption(result)) for result in group],
                    columns=6,
                    height="auto",
                    object_fit="contain",
                    allow_preview=False,
                    show_label=False,
                    buttons=[],
                    elem_classes="results",
                )

                def choose(query: Query, event: gr.SelectData, group: Sequence[Result] = tuple(group)) -> list[Any]:
                    return self._choose(query, group[event.index])

                chosen = grid.select(choose, query, list(side), api_visibility="private")
                chosen.then(None, js=SHOW_SIDE)

    def _preview(self, path: str) -> Any:
        with self._shown_errors():
            return gr.Image(shrunk(uploaded(path)), visible=True)

    def _search(self, path: str | None, text: str, *wanted: Any) -> list[Any]:
        if path is None:
            return self._found(Query(), text, *wanted)
        with self._shown_errors():
            image = uploaded(path)
            with self.lock:
                (vector,) = self.gallery.encoder([image])  # type: ignore[misc]
        content = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:32]
        return self._found(Query(content, vector, shrunk(image)), text, *wanted)

    def _search_again(self, chosen: Result, *wanted: Any) -> list[Any]:
        with self.lock, self._shown_errors():
            vector = self.gallery.vector(chosen.entry.id)
        return self._found(Query(chosen.entry.id, vector, self.pictures.small(chosen.entry.path)), *wanted)

    def _found(
        self,
        query: Query,
        text: str,
        camera: list[str],
        not_camera: list[str],
        since: float | None,
        until: float | None,
        person: str,
        count: int,
        rerank: bool,
    ) -> list[Any]:
        moments = {"since": since, "until": until}
        filters: dict[str, Any] = {
            name: datetime.datetime.fromtimestamp(value, self.zone)
            for name, value in moments.items()
            if value is not None
        }
        filters |= {name: value for name, value in (("camera", camera), ("not_camera", not_camera)) if value}
        with self.lock, self._shown_errors():
            results = self.gallery.search(
                vector=query.vector,
                person=person.strip() or None,
                attributes=text.strip() or (),
                k=int(count) + 1,
                rerank=rerank,
                **filters,
            )
        others = [result for result in results if result.entry.id != query.id][: int(count)]
        message = f"{len(others)} results." if others else "Nothing was found."
        return [query, others, message, gr.Column(visible=False)]

    def _choose(self, query: Query, chosen: Result) -> list[Any]:
        likeness, why = self._likeness(query, chosen)
        pictures = (query.picture, self.pictures.small(chosen.entry.path), likeness)
        images = [gr.Image(picture, visible=picture is not None) for picture in pictures]
        told = html.escape(" · ".join(filter(None, (self.caption(chosen), chosen.entry.note, why))))
        return [chosen, gr.Column(visible=True), *images, told, chosen.entry.person]

    def _likeness(self, query: Query, chosen: Result) -> tuple[np.ndarray | None, str]:
        """The map over the result, or what keeps it from being drawn."""
        path = self.pictures.path(chosen.entry.path)
        if query.vector is None or path is None:
            return None, ""
        try:
            with self.lock:
                likeness = similarity_map(self.gallery.encoder, path, query.vector)  # type: ignore[arg-type]
            return shrunk(heat(self.pictures.read(path), likeness)), ""
        except InputError as error:
            return None, str(error).replace(path, Path(path).name)

    def _mark(self, query: Query, chosen: Result, same: bool) -> tuple[str, Any]:
        with self._shown_errors():
            if not query.id:
                raise InputError(f"An answer is about two pictures: search with one first. Received: {query.id!r}.")
            with self.lock:
                self.marks.add(query.id, chosen.entry.id, same)
        said = "one person" if same else "not one person"
        return f"Kept: {said}. {len(self.marks)} answers.", gr.DownloadButton(value=self._answers(), visible=True)

    def _name(self, chosen: Result, name: str, found: list[Result]) -> tuple[list[Result], str]:
        with self.lock, self._shown_errors():
            self.gallery.label([chosen.entry.id], name.strip())
        named = dataclasses.replace(chosen.entry, person=name.strip())
        again = [
            dataclasses.replace(result, entry=named) if result.entry.id == named.id else result for result in found
        ]
        return again, f"Kept: this is {html.escape(name.strip()) or 'nobody known'}."

    def _answers(self) -> str | None:
        """A copy of the answers' file, for the download."""
        if not len(self.marks):
            return None
        return shutil.copy(self.marks.path, self.copies.name)

    @contextlib.contextmanager
    def _shown_errors(self) -> Iterator[None]:
        """Shows a sentence on the page where there is one, without the gallery's place on the machine."""
        try:
            yield
        except InputError as error:
            sentence = str(error).replace(f"The gallery {self.gallery.uri!r}", "The gallery")
            raise gr.Error(sentence, title="Not possible", print_exception=False) from None

    def caption(self, result: Result) -> str:
        """Returns what stands beneath a result's picture."""
        entry, said = result.entry, []
        if result.probability is not None:
            said.append(f"{result.probability:.0%}")
        elif result.distance is not None:
            said.append(f"d = {result.distance:.3f}")
        said.append({None: "", True: "same", False: "somebody else"}[result.same])
        said += [entry.person, f"camera {entry.camera}" if entry.camera else ""]
        said.append(entry.time.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S") if entry.time else "")
        return " · ".join(filter(None, said))


def headed(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """Groups results by person under a heading each, best first; those whom nobody has named share one.

    Args:
        results: sequence of `Result`, best first.
    """
    groups: dict[str, list[Result]] = {}
    for group in by_person(results):
        groups.setdefault(group[0].entry.person, []).extend(group)
    return [(person or "Not named", group) for person, group in groups.items()]


def uploaded(path: str) -> np.ndarray:
    """Returns the pixels of an uploaded file, uint8 [height, width, 3].

    Args:
        path: str. Where it was put; not named in an error.

    Raises:
        InputError: it is no image, or has too many pixels.
    """
    content = Path(path).read_bytes()
    image = decode(content, "The picture")
    if image is None:
        *others, last = FORMATS
        raise InputError(
            f"A picture must be {', '.join(others)} or {last}. Received: {Path(path).name!r} of {len(content):,} bytes."
        )
    return image
