"""Jobs: their order, their ends, and what is told of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from musicrec.errors import AudioError
from musicrec.web import jobs as jobs_module
from musicrec.web.errors import WebError
from musicrec.web.jobs import Job, JobCancelled, JobControl, Jobs


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "_TOLD_EVERY_S", 0.0)


def run(use: Callable[[Jobs], Coroutine[Any, Any, Any]], lanes: dict[str, int] | None = None, **settings: Any) -> Any:
    async def main() -> Any:
        jobs = Jobs(lanes or {"a": 3, "b": 3}, **settings)
        jobs.start()
        try:
            return await asyncio.wait_for(use(jobs), 20)
        finally:
            await jobs.stop(grace_s=0.2)

    return asyncio.run(main())


async def ended(job: Job) -> Job:
    while job.ended is None:
        await asyncio.sleep(0.002)
    return job


async def nothing(control: JobControl) -> None: ...


async def until_cancelled(control: JobControl) -> None:
    await control.cancelled.wait()
    raise JobCancelled({"kept": 3})


def test_a_lane_does_one_after_the_other_and_lanes_do_not_wait_for_each_other():
    async def use(jobs: Jobs) -> list[str]:
        order: list[str] = []

        def work(name: str, pause_s: float) -> Callable:
            async def steps(control: JobControl) -> dict:
                order.append(f"{name} begins")
                await asyncio.sleep(pause_s)
                order.append(f"{name} ends")
                return {"name": name}

            return steps

        first, second = (jobs.submit("analysis", work(name, 0.05), lane="a", owner="me") for name in "12")
        other = jobs.submit("index", work("3", 0.0), lane="b", owner="me")
        for job in (first, second, other):
            await ended(job)
        assert [job.result for job in (first, second, other)] == [{"name": name} for name in "123"]
        return order

    assert run(use) == ["1 begins", "3 begins", "3 ends", "1 ends", "2 begins", "2 ends"]


def test_what_is_told_comes_in_order_and_whoever_comes_back_misses_nothing():
    async def use(jobs: Jobs) -> None:
        go = asyncio.Event()

        async def work(control: JobControl) -> dict:
            for number in range(3):
                control.update(done=number, total=3, message=f"file {number}")
                await asyncio.sleep(0.01)
            await go.wait()
            control.update(done=3)
            return {"found": 1}

        job = jobs.submit("index", work, lane="a", owner="me")
        seen = []
        async for number, state, facts in jobs.changes(job):
            seen.append((number, state, facts["done"]))
            if facts["done"] == 2:
                break
        assert seen == sorted(seen) and seen[0][1] == "waiting" and seen[-1][1] == "running"
        go.set()
        later = [entry async for entry in jobs.changes(job, after=seen[-1][0])]
        assert all(number > seen[-1][0] for number, _, _ in later)
        assert later[-1][1:] == ("done", {**job.as_dict(), "state": "done", "result": {"found": 1}})
        assert [entry async for entry in jobs.changes(job, after=later[-1][0])] == []
        assert [state async for _, state, _ in jobs.changes(job)] == ["done"], "who comes late sees the end"

    run(use)


def test_ends():
    async def use(jobs: Jobs) -> None:
        async def bad(control: JobControl) -> None:
            raise AudioError("a.mp3: damaged \udcff")

        async def mistake(control: JobControl) -> None:
            raise ZeroDivisionError

        failed = await ended(jobs.submit("analysis", bad, lane="a", owner="me"))
        assert (failed.state, failed.message) == ("failed", "a.mp3: damaged ?")
        failed = await ended(jobs.submit("analysis", mistake, lane="a", owner="me"))
        assert (failed.state, failed.message) == ("failed", "this failed because of a mistake in musicrec")
        assert (await ended(jobs.submit("analysis", nothing, lane="a", owner="me"))).state == "done"

    run(use)


def test_cancelling():
    async def use(jobs: Jobs) -> None:
        told: list[str] = []
        running = jobs.submit("index", until_cancelled, lane="a", owner="me", on_end=lambda job: told.append(job.state))
        waiting = jobs.submit("index", nothing, lane="a", owner="me", on_end=lambda job: told.append(job.state))
        await asyncio.sleep(0.01)
        jobs.cancel(waiting.id)
        assert waiting.state == "cancelled" and running.state == "running" and told == ["cancelled"]
        jobs.cancel(running.id)
        await ended(running)
        assert (running.state, running.result, told) == ("cancelled", {"kept": 3}, ["cancelled"] * 2)
        jobs.cancel(running.id)
        assert running.message == "it was cancelled"
        assert (await ended(jobs.submit("index", nothing, lane="a", owner="me"))).state == "done"

    run(use)


def test_too_many():
    async def use(jobs: Jobs) -> None:
        first = jobs.submit("index", until_cancelled, lane="a", owner="me")
        await asyncio.sleep(0.01)
        for _ in range(2):
            jobs.submit("index", nothing, lane="a", owner="me")
        with pytest.raises(WebError, match="2 jobs are waiting already") as caught:
            jobs.submit("index", nothing, lane="a", owner="me")
        assert caught.value.status == 429 and caught.value.headers == {"Retry-After": "5"}
        jobs.cancel(first.id)

    run(use, {"a": 2})


def test_one_user_leaves_room_for_others():
    async def use(jobs: Jobs) -> None:
        first = jobs.submit("index", until_cancelled, lane="a", owner="ada")
        await asyncio.sleep(0.01)
        for _ in range(2):
            jobs.submit("index", nothing, lane="a", owner="ada")
        with pytest.raises(WebError, match="2 of your jobs are waiting already"):
            jobs.submit("index", nothing, lane="a", owner="ada")
        jobs.submit("index", nothing, lane="a", owner="bo")
        jobs.cancel(first.id)

    run(use, {"a": 4}, share=0.5)


def test_old_jobs_are_forgotten():
    clock = [0.0]

    async def use(jobs: Jobs) -> None:
        made = [await ended(jobs.submit("index", nothing, lane="a", owner="me")) for _ in range(5)]
        running = jobs.submit("index", until_cancelled, lane="b", owner="me")
        assert [job.id for job in jobs.all()] == [*(job.id for job in made[2:]), running.id], "the last three are kept"
        with pytest.raises(WebError) as caught:
            jobs.find(made[0].id)
        assert caught.value.status == 404
        clock[0] = 3601.0
        assert jobs.all() == [running]
        jobs.cancel(running.id)

    run(use, keep_s=3600.0, most_kept=3, clock=lambda: clock[0])


def test_nobody_pushes_the_jobs_of_others_out():
    async def use(jobs: Jobs) -> None:
        yours = jobs.finished("details", owner="you")
        mine = [jobs.finished("details", owner="me") for _ in range(9)]
        assert jobs.all() == [yours, *mine[-2:]]

    run(use, most_kept=3)


def test_jobs_of_others_are_not_seen():
    async def use(jobs: Jobs) -> None:
        mine = await ended(jobs.submit("index", nothing, lane="a", owner="me"))
        assert jobs.all("you") == [] and jobs.all("me") == [mine]
        for call in (jobs.find, jobs.cancel):
            with pytest.raises(WebError, match="there is no such job"):
                call(mine.id, "you")

    run(use)


def test_stopping_cancels_everything_and_takes_no_more():
    async def use(jobs: Jobs) -> None:
        saving = jobs.submit("index", until_cancelled, lane="a", owner="me")
        waiting = jobs.submit("index", nothing, lane="a", owner="me")

        async def deaf(control: JobControl) -> None:
            await asyncio.sleep(100)

        deaf_job = jobs.submit("index", deaf, lane="b", owner="me")
        await asyncio.sleep(0.01)
        await jobs.stop(grace_s=0.1)
        assert (saving.state, saving.result) == ("cancelled", {"kept": 3})
        assert waiting.state == deaf_job.state == "cancelled"
        with pytest.raises(WebError) as caught:
            jobs.submit("index", nothing, lane="a", owner="me")
        assert caught.value.status == 503

    run(use)


def test_whoever_watches_a_job_that_does_not_stop_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs_module, "_WATCHED_S", 0.3)

    async def use(jobs: Jobs) -> None:
        async def deaf(control: JobControl) -> None:
            await asyncio.sleep(100)

        job = jobs.submit("index", deaf, lane="a", owner="me")
        await asyncio.sleep(0.01)
        jobs.cancel_all()
        told = [facts["message"] async for _, _, facts in jobs.changes(job)]
        assert told == ["it is being cancelled"] and job.state == "running"

    run(use)


def test_what_is_told_is_checked():
    async def use(jobs: Jobs) -> Job:
        async def work(control: JobControl) -> None:
            control.update(done=-1, total="many", message="x" * 5000, result=[1])

        return await ended(jobs.submit("index", work, lane="a", owner="me"))

    job = run(use)
    assert (job.done, job.total, job.result, job.message) == (0, 0, None, "")
