"""The HTTP interface: POST /rank, /advise, /gate, /outcomes, /v1/chat/completions; GET /healthz, /metrics, /decisions
and a page at /."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from nngpt_perfclf import __version__
from nngpt_perfclf.config import Config
from nngpt_perfclf.serve import requests
from nngpt_perfclf.serve.completions import completion, read_message
from nngpt_perfclf.serve.limits import Limits
from nngpt_perfclf.serve.service import Service
from nngpt_perfclf.types import PerfclfError

PAGE = Path(__file__).with_name("page.html")
SHOWN = 200  # decisions in one answer
Body = TypeVar("Body", bound=BaseModel)


def limited(app: FastAPI, config: Config):
    """The app behind its limits."""
    app.state.limits = Limits(app, config.serve)
    return app.state.limits


def make_app(service: Service) -> FastAPI:
    """The routes over one service."""
    app = FastAPI(title="nngpt-perfclf", version=__version__, summary="Ask before you train")
    most = service.config.serve.candidates

    def answer(content: object, status: int = 200) -> Response:
        return Response(json.dumps(_finite(content)), status, media_type="application/json")

    def in_words(error: Exception, status: int) -> Response:
        return answer({"error": " ".join(str(error).split())}, status)

    @app.exception_handler(PerfclfError)
    async def _refused(request: Request, error: PerfclfError) -> Response:
        return in_words(error, 422)

    @app.exception_handler(404)
    async def _missing(request: Request, error: Exception) -> Response:
        return answer({"error": "no such address; /docs lists those that there are"}, 404)

    @app.exception_handler(405)
    async def _wrong_way(request: Request, error: Exception) -> Response:
        return answer({"error": f"{request.method} is not answered here"}, 405)

    def body_of(model: type[BaseModel]) -> dict:
        return {"requestBody": {"required": True, "content": {"application/json": {
            "schema": model.model_json_schema()}}}}

    @app.post("/rank", openapi_extra=body_of(requests.RankBody))
    async def rank(request: Request) -> Response:
        """The candidates, best first."""
        body = parsed(await request.body(), requests.RankBody, most)
        return answer({"target": body.target,
                       "rows": await service.rank([entry.candidate() for entry in body.candidates], body.target)})

    @app.post("/gate", openapi_extra=body_of(requests.RankBody))
    async def gate(request: Request) -> Response:
        """One decision a candidate, in their order."""
        body = parsed(await request.body(), requests.RankBody, most)
        return answer({"target": body.target,
                       "decisions": await service.gate([entry.candidate() for entry in body.candidates], body.target)})

    @app.post("/advise", openapi_extra=body_of(requests.AdviseBody))
    async def advise(request: Request) -> Response:
        """One advice a question, in their order; null: no opinion."""
        body = parsed(await request.body(), requests.AdviseBody, most)
        advice = await service.advise([entry.question() for entry in body.questions])
        return answer({"advice": [pair_advice and asdict(pair_advice) for pair_advice in advice]})

    @app.post("/outcomes", openapi_extra=body_of(requests.OutcomesBody))
    async def outcomes(request: Request) -> Response:
        """What candidates reached; the answer is how the target's gate has decided so far."""
        body = parsed(await request.body(), requests.OutcomesBody, most)
        reached = [(outcome.candidate(), outcome.accuracy, outcome.epoch) for outcome in body.outcomes]
        return answer(await service.report(reached, body.target))

    @app.post("/v1/chat/completions", openapi_extra=body_of(requests.ChatBody))
    async def complete(request: Request) -> Response:
        """NNGPT's question how far a network will come, from its code and first epochs."""
        body = parsed(await request.body(), requests.ChatBody, most)
        return answer(completion(*await service.best(read_message(body.question())), body.model, body.stop))

    @app.get("/decisions")
    async def decisions(after: str = "0") -> Response:
        """The gate's decisions with a number above `after`; by default the latest."""
        if not after.isascii() or not after.isdigit() or len(after) > 15:
            raise PerfclfError("after must be a whole number")
        first = int(after) or max(0, service.record.last() - SHOWN)
        return answer({"decisions": service.record.decisions(first, SHOWN)})

    @app.get("/healthz")
    async def healthz() -> Response:
        return answer({"status": "ok", "version": __version__})

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(_metrics(service, app), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"))

    return app


def parsed(content: bytes, model: type[Body], most: int) -> Body:
    """The checked body; raises PerfclfError naming the first fault."""
    try:
        fields = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
        body = model.model_validate(fields)
    except UnicodeDecodeError as error:
        raise PerfclfError(f"the request is not text in UTF-8: {error.reason} at byte {error.start}") from error
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))[:200]
        raise PerfclfError(f"{place or 'the request'}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise PerfclfError(f"the request is not JSON: {str(error)[:200]}") from error
    entries = next(value for value in vars(body).values() if isinstance(value, list))
    if len(entries) > most:
        raise PerfclfError(f"at most {most} entries in one request, not {len(entries)}")
    return body


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _finite(content: object) -> object:
    """JSON has no infinite numbers."""
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    return [_finite(value) for value in content] if isinstance(content, list | tuple) else content


def _metrics(service: Service, app: FastAPI) -> str:
    """Prometheus' text format."""
    limits = getattr(app.state, "limits", None)
    lines = ["# TYPE nngpt_perfclf_responses_total counter"]
    lines += [f'nngpt_perfclf_responses_total{{status="{status}"}} {count}'
              for status, count in sorted((limits.answered if limits else {}).items())]
    lines += ["# TYPE nngpt_perfclf_active_requests gauge",
              f"nngpt_perfclf_active_requests {limits.active if limits else 0}",
              "# TYPE nngpt_perfclf_score_calls_total counter",
              f"nngpt_perfclf_score_calls_total {service.score_calls}",
              "# TYPE nngpt_perfclf_decisions_total counter",
              f"nngpt_perfclf_decisions_total {service.record.last()}"]
    return "\n".join(lines) + "\n"
