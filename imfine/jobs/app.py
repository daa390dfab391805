"""The Celery app and `publish`: what server and workers share of the queue. Knows no task and no torch.

The store is the truth; a message only hands a run out, so it carries nothing but the run's id. Messages are
acknowledged late: one whose worker dies is delivered again, marked as such.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from amqp.exceptions import AMQPError
from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from imfine.errors import Unavailable
from imfine.jobs import filesystem, names
from imfine.settings import Settings, settings

CONNECT_S = 2.0  # a submit never waits longer for a broker; the reaper publishes what could not be
CONFIRM_S = 2.0
HEARTBEAT_S = 10.0  # how RabbitMQ and worker notice that the other's machine is gone


def queue_name(queue: names.QueueName, at: Settings) -> str:
    return f"{at.queue_prefix}{queue}"


def make_app(at: Settings) -> Celery:
    app = Celery("imfine", set_as_current=False)
    app.conf.update(
        broker_url=at.broker_url or filesystem.URL,
        broker_connection_timeout=CONNECT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker waits for its broker as long as it takes
        task_queues=[_queue(queue_name(name, at), quorum=at.broker_url is not None) for name in names.QUEUES],
        task_default_queue=queue_name(names.LIVE, at),
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # attempts fence what goes on twice
        worker_hijack_root_logger=False,
    )
    if at.broker_url is None:
        app.conf.update(
            broker_transport_options={"folder": str(at.home.absolute() / "broker")},
            worker_enable_remote_control=False,  # needs fan-out, which folders do not have
        )
    else:
        app.conf.update(
            broker_transport_options={"confirm_publish": True, "connect_timeout": CONNECT_S},
            broker_heartbeat=HEARTBEAT_S,
        )
    return app


def _queue(name: str, *, quorum: bool) -> Queue:
    arguments = {"x-queue-type": "quorum"} if quorum else {}
    return Queue(name, routing_key=name, durable=True, queue_arguments=arguments)


@lru_cache(maxsize=1)
def _shared_app() -> tuple[Celery, Settings]:
    at = settings()
    return make_app(at), at


def publish(run_id: str, queue: names.QueueName) -> None:
    """Hands a run out; any thread may call it, and a connection is kept for the next.

    Raises: Unavailable, within a few seconds, where the broker is away. The run is safe in the store then.
    """
    app, at = _shared_app()
    options: dict[str, Any] = {"queue": queue_name(queue, at), "confirm_timeout": CONFIRM_S}
    policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0}  # a kept connection may have died
    try:
        app.send_task(names.TASK, args=[run_id], retry=True, retry_policy=policy, **options)
    except (OperationalError, AMQPError, OSError) as reason:
        raise Unavailable(
            f"the queue cannot be reached: {reason}",
            remedy="the run is kept and handed out as soon as the broker is back",
        ) from reason
