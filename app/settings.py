"""Every setting of the service and its workers, read from ``POSETWEEN_…`` or given to ``create_app``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pose.decoder import Limits
from pose.proxy import Encoder

MIB = 1024 * 1024

#: Jobs that want a GPU, and those that do not; the quick ones of each have a queue of their own (``app.jobs.lanes``).
GPU, CPU = "gpu", "cpu"
GPU_QUICK, CPU_QUICK = "gpu-quick", "cpu-quick"
QUEUES = (GPU_QUICK, CPU_QUICK, GPU, CPU)

#: The quick jobs of each queue.
QUICK = {GPU: GPU_QUICK, CPU: CPU_QUICK}


#: Stands for the origins of all pages.
ANY_ORIGIN = "*"


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [part for part in re.split(r"[\s,]+", value) if part] if isinstance(value, str) else value


def _hard_to_guess(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"|[A-Za-z0-9._~+/=-]{16,}", token.get_secret_value()):
        raise ValueError("a token has at least 16 characters: letters, digits and -._~+/=")
    return token


class Settings(BaseSettings):
    """Where things are kept and how much of them is let in.

    Args:
        data_dir: Folder of the embedded database, the local storage, scratch files and the admin key.
        database_url: SQLAlchemy address; a SQLite file in ``data_dir`` where empty.
        storage_url: Object store address; a folder in ``data_dir`` where empty.
        broker_url: Redis that tells workers of new jobs; they look for themselves every ``poll_seconds`` where empty.
        host: Address to bind. Anything but loopback is refused while ``auth`` is off.
        port: Port to bind; 0 takes a free one.
        processes: How many processes answer requests: about as many as there are cores for them.
        auth: Whether requests need an API key. Off, every request acts as the local admin.
        session_hours: How long a browser session lasts.
        cors_origins: Origins whose pages may call the API from a browser, ``*`` for all of them.
        cors_credentials: Whether they may use the sessions of that browser.
        requests_per_minute: Requests a minute of one key, counted in each API process; 0 for any number.
        paced_requests_per_second: Requests a second of one key or session in each API process, beyond which the next
            ones wait up to two seconds where other labs ask too; 0 for any number.
        max_lab_bytes: Bytes a lab may keep; 0 for as many as there is room for.
        trash_days: How long what was deleted can be restored before it is erased.
        max_queued_jobs: Propagations, estimates, trainings and exports of a lab that may wait; 0 for any number.
        max_upload_bytes: Largest video.
        max_open_uploads: Uploads in pieces that a lab may have open; 0 for any number.
        upload_expiry_hours: How long an unfinished upload waits for its next bytes.
        upload_silence_seconds: How long a connection may stand still while it brings bytes of an upload.
        max_json_bytes: Largest body of labels; other JSON has up to 1 MiB.
        max_buffered_bytes: What such bodies may have together, in each API process; one lab may have half of it.
        body_silence_seconds: How long a connection may stand still while it brings such a body.
        max_connections: Connections that an API process keeps; half as many requests of one lab may be under way.
        max_tracks: Tracks a video may have, deleted ones among them.
        max_pixels: Most pixels in a frame.
        max_frames: Most frames in a video.
        max_seconds: Longest video, in seconds.
        ingest_memory_bytes: Address space of the child process that decodes an upload.
        ingest_seconds: Wall-clock limit of that child.
        proxy_encoder: What encodes the copies of videos for labelling: ``libx264``, or ``libvpx-vp9`` without GPL code.
        lease_seconds: How long a claimed job stays a worker's without a heartbeat.
        poll_seconds: How often an idle worker looks for a job.
        ring_seconds: How long a job waits before workers are told of it once more, where there is a broker.
        queue: Whose jobs a worker does, ``gpu`` or ``cpu``; all where empty.
        lane: Which of them, by how long they take: ``all``, or ``quick`` for those that are done in seconds.
        device: Where a worker's networks run, as PyTorch writes it; ``auto`` is a GPU where there is one.
        precision: In which precision they compute there; ``auto`` is bf16 where the device computes it natively and is
            faster for it, else fp32.
        threads: How many threads a process computes with; 0 for as many as it may run at a time.
        backbones_dir: Folder of the backbones that trainings may begin with, each a folder as transformers writes it;
            ``backbones`` in ``data_dir`` where empty.
        max_attempts: How often a job is tried before it fails.
        adapt_steps: Steps of fitting an engine to a video, where a propagation asks for it, at most.
        adapt_seconds: How long fitting may take on a quiet machine; three times as long beside other work.
        cache_bytes: Room on this machine for copies of objects, where storage is remote.
        public_storage_endpoint: Address of an S3 store as browsers reach it, where it is another than the service's.
        redirect_downloads: Whether who downloads from an S3 store is sent there; else the API passes the bytes on.
        open_videos: How many proxies the API keeps open to serve frames from.
        alive_file: File that a worker touches as long as it reaches the database, for health checks; none where empty.
        log_format: How lines of the log are written: ``text`` for people, ``json`` for machines.
        log_level: From which level on they are written.
        metrics_token: What Prometheus shows to read ``/metrics``; where empty, only this machine may read them.
        worker_metrics_port: Where a worker serves its metrics; 0 for nowhere.
        worker_metrics_host: Address that it binds for them.
        frame_cache_bytes: What frames that were served, or will be soon, may take in the scratch folder.
        feature_cache_bytes: What a worker keeps there of what ``stdpose`` saw in videos; 0 for nothing.
    """

    model_config = SettingsConfigDict(env_prefix="POSETWEEN_", extra="ignore")

    data_dir: Path = Path("posetween-data")
    database_url: str = ""
    storage_url: str = ""
    broker_url: str = Field(default="", pattern=r"^$|^(redis|rediss|redis\+socket)://")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    processes: int = Field(default=1, ge=1, le=256)
    auth: bool = True
    cors_origins: Annotated[list[str], NoDecode, BeforeValidator(_listed)] = []
    cors_credentials: bool = True
    session_hours: float = Field(default=12, gt=0, le=24 * 366)
    requests_per_minute: int = Field(default=30_000, ge=0)
    paced_requests_per_second: float = Field(default=50, ge=0)
    max_lab_bytes: int = Field(default=0, ge=0)
    trash_days: float = Field(default=30, ge=0, le=3660)
    max_queued_jobs: int = Field(default=10_000, ge=0)
    max_upload_bytes: int = Field(default=64 * 1024 * MIB, gt=0)
    max_open_uploads: int = Field(default=20, ge=0)
    upload_expiry_hours: float = Field(default=24, gt=0)
    upload_silence_seconds: float = Field(default=30, gt=0)
    max_json_bytes: int = Field(default=64 * MIB, gt=0)
    max_buffered_bytes: int = Field(default=256 * MIB, gt=0)
    body_silence_seconds: float = Field(default=30, gt=0)
    max_connections: int = Field(default=2000, ge=16)
    max_tracks: int = Field(default=2000, gt=0, le=20_000)
    max_pixels: int = Field(default=7680 * 4320, gt=0)
    max_frames: int = Field(default=5_000_000, gt=0)
    max_seconds: float = Field(default=24 * 3600, gt=0)
    ingest_memory_bytes: int = Field(default=6 * 1024 * MIB, gt=0)
    ingest_seconds: float = Field(default=12 * 3600, gt=0)
    proxy_encoder: Encoder = "libx264"
    lease_seconds: float = Field(default=60, gt=0)
    poll_seconds: float = Field(default=0.2, gt=0)
    ring_seconds: float = Field(default=5, gt=0)
    queue: Literal["", "gpu", "cpu"] = ""
    lane: Literal["all", "quick"] = "all"
    device: str = "auto"
    precision: Annotated[Literal["auto", "fp32", "bf16"], BeforeValidator(_lower)] = "auto"
    threads: int = Field(default=0, ge=0, le=1024)
    backbones_dir: str = ""
    max_attempts: int = Field(default=3, gt=0)
    adapt_steps: int = Field(default=200, gt=0)
    adapt_seconds: float = Field(default=45, gt=0)
    cache_bytes: int = Field(default=20 * 1024 * MIB, gt=0)
    public_storage_endpoint: str = ""
    redirect_downloads: bool = True
    open_videos: int = Field(default=16, gt=0)
    frame_cache_bytes: int = Field(default=2048 * MIB, ge=0)
    feature_cache_bytes: int = Field(default=4096 * MIB, ge=0)
    alive_file: str = ""
    log_format: Literal["text", "json"] = "text"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    metrics_token: Annotated[SecretStr, AfterValidator(_hard_to_guess)] = SecretStr("")
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    worker_metrics_host: str = "127.0.0.1"

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'posetween.db'}"

    @property
    def storage(self) -> str:
        """The object store address in force."""
        return self.storage_url or (self.data_dir.absolute() / "storage").as_uri()

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues whose jobs a worker does, those first that are quick."""
        chosen = (self.queue,) if self.queue else (GPU, CPU)
        quick = tuple(QUICK[queue] for queue in chosen)
        return quick if self.lane == "quick" else quick + chosen

    @property
    def limits(self) -> Limits:
        """The limits above which a video is not accepted."""
        return Limits(max_pixels=self.max_pixels, max_frames=self.max_frames, max_seconds=self.max_seconds)

    @property
    def scratch_dir(self) -> Path:
        """Folder of files that are not whole yet."""
        return self.data_dir / "scratch"

    @property
    def uploads_dir(self) -> Path:
        """Folder of uploads in pieces that are not whole yet."""
        return self.scratch_dir / "uploads"

    @property
    def backbones(self) -> Path:
        """Folder of the backbones that trainings may begin with."""
        return Path(self.backbones_dir) if self.backbones_dir else self.data_dir / "backbones"

    @property
    def frames_dir(self) -> Path:
        """Folder of the images of frames that the processes of a machine share."""
        return self.scratch_dir / "frames"

    @property
    def features_dir(self) -> Path:
        """Folder of what ``stdpose`` saw in videos, which the workers of a machine share."""
        return self.scratch_dir / "features"

    @property
    def admin_key_file(self) -> Path:
        """File of the local admin key that the first start makes."""
        return self.data_dir / "admin.key"
