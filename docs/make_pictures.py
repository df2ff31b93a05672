"""Makes the pictures of the documentation: `python docs/make_pictures.py results.h5 [MODEL [CLASS]]` writes docs/*.svg."""

import asyncio
import re
import sys
from pathlib import Path

from sing_compute.store import Store
from sing_tui.app import Explorer
from sing_tui.start import Start, Wish

SIZE = (120, 32)


async def picture(file: Path, name: str, wish: Wish) -> None:
    """One screen of the explorer as SVG, with fonts that every machine has."""
    app = Explorer(file, Start(wish))
    async with app.run_test(size=SIZE) as pilot:
        app.theme = "textual-dark"
        for _ in range(20):  # opening, reading and the details come one after the other, each a moment later
            await app.workers.wait_for_complete()
            await pilot.pause(0.1)
        svg = app.export_screenshot(title="sing-tui")
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    svg = re.sub(r"font-family:[^;]*;", 'font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;', svg)
    (Path(__file__).parent / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE))


def main(file: str, model: str | None = None, class_name: str | None = None) -> None:
    """The screens that README and docs show."""
    with Store(file) as store:
        model, class_name = store.model(model), class_name or str(store.class_names[0])
    asyncio.run(picture(Path(file), "classes", Wish(model=model)))
    asyncio.run(picture(Path(file), "concepts", Wish(model=model, class_name=class_name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
