"""`chorus status HOST:PORT`: how a run stands, told by its learner."""

from __future__ import annotations

import json

import grpc
from google.protobuf.json_format import MessageToDict

from chorus.common.process.logs import printable
from chorus.common.transport import channel
from chorus.common.transport.credentials import Credentials
from chorus.fleet.answer import no_answer
from chorus.protos.chorus.v1 import rollout_pb2 as pb


def status(address: str, credentials: Credentials, timeout: float, as_json: bool) -> int:
    """Print the learner's answer.

    Raises:
        ConnectionFault: there is none.
    """
    with channel.open_channel(address, credentials) as line:
        try:
            reply = line.status(timeout)
        except grpc.RpcError as fault:
            raise no_answer(address, timeout, fault) from fault
    if as_json:
        fields = MessageToDict(reply, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        print(json.dumps(fields, indent=2))
    else:
        print(printable(describe(reply)))
    return 0


def describe(reply: pb.StatusReply) -> str:
    """The answer as a person reads it."""
    tasks = reply.tasks
    refusals = ", ".join(f"{count} {why}" for why, count in sorted(reply.refusals.items()))
    lines = [
        f"run {reply.run}  {reply.state}  Chorus {reply.version}"
        + ("" if reply.reproducible else "  NOT REPRODUCIBLE"),
        f"update {reply.update} of {reply.updates}  policy version {reply.policy_version}  lag {reply.lag}",
        f"{reply.env_steps:,} environment steps, {reply.agent_steps:,} agent-steps in {reply.seconds:,.1f} s"
        f" ({reply.agent_steps_per_second:,.0f} agent-steps/s now)",
        f"mixed return of the last batch {reply.mixed_return:.2f}",
        f"leases: {tasks.issued} issued = {tasks.completed} completed + {tasks.repeated} repeated"
        f" + {tasks.failed} failed + {tasks.requeued} requeued + {tasks.outstanding} outstanding;"
        f" {tasks.refused} streams refused" + (f" ({refusals})" if refusals else ""),
        *([f"audited {tasks.audited} tasks, {tasks.unequal} unequal"] if tasks.audited else []),
        *(f"not reproducible: {remark}" for remark in reply.remarks),
        *(
            f"learner process {one.rank} at {one.address}: {one.actors} actors, {one.pending} tasks waiting,"
            f" {one.tasks.issued} issued, {one.tasks.completed} completed"
            for one in reply.learners
        ),
        f"{len(reply.actors)} actors" + (" of the process that answers" if reply.learners else ""),
    ]
    lines += [
        f"  {actor.actor}  {actor.completed} tasks completed, {actor.leases} being played,"
        f" heard {actor.idle_seconds:.1f} s ago"
        for actor in reply.actors
    ]
    return "\n".join(lines)
