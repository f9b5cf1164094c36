"""What a person or a probe may read without a key."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from capably.threads.routes.reference import PAGE, POLICY

router = APIRouter()


@router.get("/")
async def about(request: Request) -> dict[str, Any]:
    """What this is and where to go on."""
    return {
        "service": "capably threads",
        "answers": request.app.state.service.models.label,
        "api": "/v1/threads",
        "openapi": "/openapi.json",
        "docs": "/docs",
        "key": "capably threads key create",
    }


@router.get("/health")
@router.get("/v1/health", include_in_schema=False)
async def health() -> dict[str, str]:
    """Whether it answers."""
    return {"status": "ok"}


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The reference of the service, made in the reader's browser from /openapi.json."""
    return HTMLResponse(PAGE, headers={"content-security-policy": POLICY})
