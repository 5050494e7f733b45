"""`ticketing doctor`: whether everything is there that the service stands on."""

import asyncio
from typing import Final

import typer

from consumer.cli.failures import FAILED
from consumer.cli.output import Json, print_json, say
from consumer.settings import load_settings
from consumer.variables import SettingsRefused

EXAMPLE: Final = "Example: ticketing doctor"


def doctor(*, as_json: Json = False) -> None:
    """Check everything that the service stands on. Each finding says its cause and its remedy."""
    from consumer.finding import Finding, Verdict, failed, ok

    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if as_json:
            return
        style = {Verdict.OK: "green", Verdict.FAILED: "red", Verdict.SKIPPED: "yellow"}
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        say(
            f"{finding.verdict:<8}{finding.check}: {finding.cause}{remedy}.", style[finding.verdict]
        )

    async def examine_all() -> None:
        from consumer.doctor import examine

        async for finding in examine(settings):
            tell(finding)

    try:
        settings = load_settings()
    except SettingsRefused as error:
        for problem in error.problems:
            tell(failed("settings", problem.rstrip("."), "correct it and try again"))
    else:
        tell(ok("settings", "every one is valid"))
        asyncio.run(examine_all())
    if as_json:
        print_json(findings)
    if any(finding.verdict is not Verdict.OK for finding in findings):
        raise typer.Exit(FAILED)
