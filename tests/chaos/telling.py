"""What the services say of themselves while a fault lasts."""

from tests.chaos.scene import Scene


async def until_everybody_says(scene: Scene, problem: str) -> None:
    """Wait until each service's /readyz names the problem. All the while /livez is green."""

    async def is_said() -> bool:
        said = []
        for member in scene.services.members:
            alive, page = await member.document("/livez")
            assert alive == 200, f"/livez is red while {problem}: {page}"
            _, ready = await member.document("/readyz")
            said.append(any(problem in each for each in ready["problems"]))
        return all(said)

    await scene.world.until(is_said, f"every /readyz says {problem!r}")
