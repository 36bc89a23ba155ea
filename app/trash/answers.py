"""Remembered answers that told of what is deleted, see ``app.idempotency``."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from app.tables import Idempotency, Lab, Project, Upload, Video


def forget(session: Session, thing: Video | Project | Lab) -> None:
    """Forget the answers that told of something: they must not be given again, nor be kept."""
    if isinstance(thing, Lab):
        made = and_(
            Idempotency.request.startswith("POST /api/v1/labs "), Idempotency.body["id"].as_string() == str(thing.id)
        )
        session.execute(delete(Idempotency).where(or_(Idempotency.lab_id == thing.id, made)))
        return
    body = Idempotency.body
    told: list[ColumnElement[bool]]
    if isinstance(thing, Project):
        lab_id, kind = thing.lab_id, "projects"
        told = [
            and_(
                or_(*(Idempotency.request.startswith(f"POST /api/v1/projects{end}") for end in " ?")),
                body["id"].as_string() == str(thing.id),
            ),
            body["project_id"].as_string() == str(thing.id),
            Idempotency.request.startswith(f"POST videos of {thing.id} "),
        ]
        videos = select(Video.id).where(Video.project_id == thing.id)
        told += [Idempotency.request.startswith(f"POST /api/v1/videos/{number}/") for number in session.scalars(videos)]
    else:
        lab_id, kind = session.get_one(Project, thing.project_id).lab_id, "videos"
        uploads = [*session.scalars(select(Upload.id).where(Upload.video_id == thing.id))]
        told = [
            body["video_id"].as_string() == str(thing.id),
            and_(Idempotency.request.startswith("POST videos of "), body["id"].as_string() == str(thing.id)),
            and_(Idempotency.request.startswith("POST uploads "), body["id"].as_string().in_(uploads)),
        ]
    told.append(Idempotency.request.startswith(f"POST /api/v1/{kind}/{thing.id}/"))
    session.execute(
        delete(Idempotency).where(Idempotency.lab_id == lab_id, or_(*told)),
        execution_options={"synchronize_session": False},
    )
