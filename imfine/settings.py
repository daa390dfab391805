"""Settings: `IMFINE_*` environment > TOML file > defaults. Knows where things lie, not what they hold."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def default_home() -> Path:
    """The XDG data directory."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "imfine"


def linux_home_for(path: Path) -> Path:
    """`path`, or the Linux home's data directory where `path` lies on a Windows drive: SQLite has no
    locks there."""
    parts = path.absolute().parts
    on_windows_drive = len(parts) > 2 and parts[1] == "mnt" and len(parts[2]) == 1 and parts[2].isalpha()
    if not on_windows_drive:
        return path
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local" / "share" / "imfine"


def config_file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "imfine" / "config.toml"


class Settings(BaseSettings):
    """One instance a process; children inherit it through the environment (`environment()`)."""

    model_config = SettingsConfigDict(env_prefix="IMFINE_", extra="ignore")

    home: Path = Field(default_factory=default_home)
    host: str = "127.0.0.1"
    port: int = Field(default=7878, ge=1, le=65535)
    token: SecretStr | None = None  # None: made at first start, kept in <home>/token (0600)
    worker_token: SecretStr | None = None  # None: made at first start, kept in <home>/worker-token (0600)
    public_url: str | None = None  # where others reach the server, e.g. https://imfine.example
    server_url: str | None = None  # where a worker reaches the server; None: http://<host>:<port>
    database_url: str | None = None  # None: SQLite in <home>
    broker_url: str | None = None  # None: the embedded broker in <home>/broker
    queue_prefix: str = ""  # before every queue's name, where several installations share one broker
    model_dirs: list[Path] = []  # further folders whose models may be named by the page
    memory_budget_gib: float | None = Field(default=None, gt=0)  # None: what the machine has, less a reserve
    upload_limit_gib: float = Field(default=4.0, gt=0)  # of one file of data to train on
    lease_s: float = Field(default=5.0, gt=0)  # a run whose worker is silent for so long is given on
    max_attempts: int = Field(default=3, ge=1, le=15)  # below RabbitMQ's delivery limit of 20
    _home_moved: bool = PrivateAttr(default=False)

    @model_validator(mode="after")
    def _leave_windows(self) -> Settings:
        """Here and nowhere else, so that whoever fetches a model and whoever looks for it mean one place."""
        home = linux_home_for(self.home)
        self._home_moved = home != self.home
        self.home = home
        return self

    @property
    def home_moved(self) -> bool:
        """Whether the home that was asked for lies on a Windows drive."""
        return self._home_moved

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'imfine.db'}"

    @property
    def models_dir(self) -> Path:
        """What I'm Fine itself keeps: the converted starters and the models people make."""
        return self.home / "models"

    @property
    def worker_server_url(self) -> str:
        return self.server_url or f"http://{self.host}:{self.port}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    return Settings()
