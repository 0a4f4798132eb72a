"""Show a page to search a gallery with: by picture, in words, by camera and time.

The page listens to this machine alone unless --host says otherwise, and shows pictures of
the folders --roots alone. REID_TF_PAGE_PASSWORD is the password that it asks for, if any.
"""

import logging
import os
import tempfile

from reid_tf.commands import command_line
from reid_tf.commands.gallery import add_gallery, add_run, opened
from reid_tf.errors import require_package
from reid_tf.options import Within

logger = logging.getLogger(__name__)

PASSWORD_VARIABLE = "REID_TF_PAGE_PASSWORD"
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def main() -> None:
    """Parses the command line and serves the page."""
    parser = command_line.parser(__doc__, "reid-tf serve-page --gallery seen --run runs/short --roots crops/")
    add_gallery(parser)
    add_run(parser, required=True)
    parser.add_argument(
        "--roots", nargs="+", required=True, metavar="FOLDER", help="images outside these folders are never shown"
    )
    parser.add_argument("--blur", choices=("faces", "background"), help="in the gallery's pictures")
    command_line.add_output(
        parser, "--marks", default="marks.csv", metavar="CSV", help="where answers are kept (default: %(default)s)"
    )
    parser.add_argument("--zone", default="UTC", metavar="NAME", help="of the times typed and shown (default: UTC)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    parser.add_argument("--port", type=command_line.number(int, Within(1, 65535)), default=8700, help="(%(default)s)")
    arguments = parser.parse_args()
    require_package("gradio", "A gallery's page", "'reid_tf[page]'")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio calls its own page when it starts
    sent = tempfile.TemporaryDirectory(prefix="reid-tf-page-")  # pictures, removed with the process
    os.environ["GRADIO_TEMP_DIR"] = sent.name
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

    from reid_tf.gallery.marks import Marks
    from reid_tf.gallery.page import create_page, serve_page
    from reid_tf.gallery.pictures import Pictures

    pictures, marks = Pictures(arguments.roots, arguments.blur), Marks(arguments.marks)
    password = os.environ.get(PASSWORD_VARIABLE) or None
    if password is None and arguments.host not in THIS_MACHINE:
        logger.warning("%s asks nobody for a password: set %s.", arguments.host, PASSWORD_VARIABLE)
    with sent, opened(arguments) as gallery:
        page = create_page(gallery, pictures, marks, arguments.zone)
        print(f"http://{arguments.host}:{arguments.port}", flush=True)
        serve_page(page, arguments.host, arguments.port, password)
