"""`baco-local models`: which pairs there are, where their files lie, and what to type for those that miss one."""

import json

import click


@click.command("models", short_help="List pairs and their files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(as_json: bool) -> None:
    """List the pairs of the catalogue: title, licence, files, and what to type for missing ones."""
    from baco_local.catalog.reading import read_catalog, user_file

    pairs = read_catalog().pairs
    if as_json:
        listed = [
            {
                "name": pair.name,
                "title": pair.title,
                "licence": pair.licence,
                "origin": str(pair.origin),
                "ready": all(file.present for file in pair.files.values()),
            }
            | {
                side: {
                    "path": str(file.path),
                    "present": file.present,
                    "size": file.size,
                    "sha256": file.sha256 or None,
                }
                for side, file in pair.files.items()
            }
            for pair in pairs.values()
        ]
        click.echo(json.dumps({"catalogue": str(user_file()), "pairs": listed}, ensure_ascii=False))
        return
    for pair in pairs.values():
        missing = [file for file in pair.files.values() if not file.present]
        click.echo(f"{pair.name}: {'ready' if not missing else 'missing files'}")
        click.echo(f"  {pair.title}")
        click.echo(f"  licence: {pair.licence}")
        for side, file in pair.files.items():
            size = f" ({file.size / 1e6:,.0f} MB)" if file.size else ""
            click.echo(f"  {side}: {file.path}{size}{'' if file.present else ', missing'}")
        if any(file.local for file in missing):
            click.echo(f"  correct the path in {pair.origin}")
        elif missing:
            click.echo(f"  get it with: baco-local pull {pair.name}")
    click.echo(f"your own pairs go into {user_file()}")
