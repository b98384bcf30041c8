"""A framework on Mesos's own scheduler driver: `native_driver.py MASTER FIB TALK LIBMESOS STUB...`.

The driver is libmesos's MesosSchedulerDriver (include/mesos/scheduler.hpp), which every native framework and
Mesos's bindings for Python, Java and the like are made of. The bindings that PyPI has are for Python 2.7, so
this calls the C++ class itself, by its mangled names and an Itanium vtable of callbacks. It speaks libprocess
messages to the master, and sends its framework messages to agents directly.

Launches FIB, and TALK under a custom executor, to which it sends a message before it kills it. Every status
and message is a line of JSON on stdout. A process of its own, since libmesos never lets go of its threads.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import sys
from collections.abc import Callable, Iterable
from ctypes import CFUNCTYPE, c_bool, c_int, c_size_t, c_void_p, cast
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from agent.proto import mesos_pb2 as mesos

BIG = 1 << 16
"""Bytes; far more than any C++ object here takes."""
STRING = "RKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"


class String(ctypes.Structure):
    """libstdc++'s std::string since GCC 5, holding bytes of ours (bits/basic_string.h)."""

    _fields_ = (("data", c_void_p), ("size", c_size_t), ("local", ctypes.c_char * 16))

    @classmethod
    def of(cls, data: bytes) -> String:
        made = cls(size=len(data))
        made.kept = ctypes.create_string_buffer(data)
        made.data = ctypes.addressof(made.kept)
        return made

    def __bytes__(self) -> bytes:
        return ctypes.string_at(self.data, self.size)


class Vector(ctypes.Structure):
    """std::vector."""

    _fields_ = (("begin", c_void_p), ("end", c_void_p), ("room", c_void_p))


class Library:
    """libmesos, with protobuf objects of C++ made from and turned into those of Python."""

    def __init__(self, libmesos: str, stubs: Iterable[str]) -> None:
        for stub in stubs:
            ctypes.CDLL(stub, mode=ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(libmesos, mode=os.RTLD_LAZY | ctypes.RTLD_GLOBAL)

    def call(self, name: str, *values: Any, result: Any = c_int) -> Any:
        function = self._library[name]
        function.restype = result
        return function(*values)

    def make(self, kind: str, content: Message | bytes) -> ctypes.Array[ctypes.c_char]:
        """An object of this kind in C++ with the content of a message."""
        data = content if isinstance(content, bytes) else content.SerializeToString()
        made = ctypes.create_string_buffer(BIG)
        self.call(f"_ZN5mesos{len(kind)}{kind}C1Ev", made, result=None)
        parse = "_ZN6google8protobuf11MessageLite14ParseFromArrayEPKvi"
        assert self.call(parse, made, data, len(data), result=c_bool)
        return made

    def read(self, kind: str, there: int) -> bytes:
        """The content of an object of this kind."""
        size = self.call(f"_ZNK5mesos{len(kind)}{kind}12ByteSizeLongEv", c_void_p(there), result=c_size_t)
        data = ctypes.create_string_buffer(size)
        serialize = "_ZNK6google8protobuf11MessageLite16SerializeToArrayEPvi"
        assert self.call(serialize, c_void_p(there), data, size, result=c_bool)
        return data.raw

    def vector(self, kind: str, contents: Iterable[Message | bytes]) -> Vector:
        """A std::vector of objects of one kind."""
        made = Vector()
        push = f"_ZNSt6vectorIN5mesos{len(kind)}{kind}ESaIS1_EE9push_backERKS1_"
        for content in contents:
            self.call(push, ctypes.byref(made), self.make(kind, content), result=None)
        return made


Event = tuple[str, bytes]


class Scheduler:
    """mesos::Scheduler: a vtable whose functions put events into a queue."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.events: queue.Queue[Event] = queue.Queue()
        # In the order of include/mesos/scheduler.hpp, after both destructors.
        methods = [
            *(self._method(0), self._method(0)),
            *(self._method(3), self._method(2), self._method(1)),  # registered, reregistered, disconnected
            self._method(2, lambda _, there: self._put("Offer", Vector.from_address(there).begin)),
            self._method(2),  # offerRescinded
            self._method(2, lambda _, there: self._put("TaskStatus", there)),
            self._method(4, lambda _, __, ___, there: self._text("message", there)),
            *(self._method(2), self._method(4)),  # slaveLost, executorLost
            self._method(2, lambda _, there: self._text("error", there)),
        ]
        self._kept = methods
        table = [None, None, *(cast(method, c_void_p).value for method in methods)]
        self._table = (c_void_p * len(table))(*table)
        here = c_void_p(ctypes.addressof(self._table) + 2 * ctypes.sizeof(c_void_p))
        self.object = ctypes.pointer(here)

    def _method(self, count: int, function: Callable[..., None] = lambda *_: None) -> Any:
        """A member function of `count` parameters besides `this`."""
        return CFUNCTYPE(None, c_void_p, *[c_void_p] * count)(lambda this, *values: function(*values))

    def _put(self, kind: str, there: int) -> None:
        """There is one agent, so one offer a time: a vector's first element is all of it."""
        self.events.put((kind, self._library.read(kind, there)))

    def _text(self, kind: str, there: int) -> None:
        self.events.put((kind, bytes(String.from_address(there))))


def submessages(data: bytes) -> dict[int, bytes]:
    """The last message of each field number."""
    fields = UnknownFieldSet(Empty.FromString(data))
    return {field.field_number: field.data for field in fields if isinstance(field.data, bytes)}


def tasks(agent_id: bytes, fib: bytes, talk: bytes) -> list[mesos.TaskInfo]:
    """One of each kind."""
    found = []
    for name, module in (("fib", fib), ("talk", talk)):
        task = mesos.TaskInfo(name=name, data=module)
        task.task_id.value = name
        task.slave_id.ParseFromString(agent_id)
        for kind, value in (("cpus", 0.1), ("mem", 0.02)):
            task.resources.add(name=kind, type=mesos.Value.SCALAR).scalar.value = value
        command = task.command
        if name == "talk":
            task.executor.executor_id.value = "speaker"
            command = task.executor.command
        command.shell = False
        command.value = "module.wasm"
        command.arguments.append("20")
        found.append(task)
    return found


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class Driver:
    """The driver itself."""

    def __init__(self, library: Library, scheduler: Scheduler, master: str) -> None:
        self._library = library
        self._this = ctypes.create_string_buffer(BIG)
        self._scheduler = scheduler
        info = library.make("FrameworkInfo", mesos.FrameworkInfo(user="root", name="native", checkpoint=True))
        name = f"C1EPNS_9SchedulerERKNS_13FrameworkInfoE{STRING}"
        self._call(name, scheduler.object, info, ctypes.byref(String.of(master.encode())))
        self._call("5startEv")

    def launch(self, offer: bytes, fib: bytes, talk: bytes) -> None:
        """On one offer: its id is field 1, its agent's is 3."""
        of = submessages(offer)
        offer_id = self._library.make("OfferID", of[1])
        infos = self._library.vector("TaskInfo", tasks(of[3], fib, talk))
        name = "11launchTasksERKNS_7OfferIDERKSt6vectorINS_8TaskInfoESaIS5_EERKNS_7FiltersE"
        self._call(name, offer_id, ctypes.byref(infos), self._library.make("Filters", b""))

    def send(self, agent_id: mesos.SlaveID, data: bytes) -> None:
        """To the custom executor."""
        speaker = self._library.make("ExecutorID", mesos.ExecutorID(value="speaker"))
        name = f"20sendFrameworkMessageERKNS_10ExecutorIDERKNS_7SlaveIDE{STRING}"
        agent = self._library.make("SlaveID", agent_id)
        self._call(name, speaker, agent, ctypes.byref(String.of(data)))

    def kill(self, task: str) -> None:
        self._call("8killTaskERKNS_6TaskIDE", self._library.make("TaskID", mesos.TaskID(value=task)))

    def stop(self) -> None:
        """Tears the framework down."""
        self._call("4stopEb", c_bool(False))
        self._call("4joinEv")

    def _call(self, name: str, *values: Any) -> None:
        self._library.call(f"_ZN5mesos20MesosSchedulerDriver{name}", self._this, *values)


def main(master: str, fib: str, talk: str, libmesos: str, *stubs: str) -> None:
    library = Library(libmesos, stubs)
    scheduler = Scheduler(library)
    driver = Driver(library, scheduler, master)
    living, launched = {"fib", "talk"}, False
    while living:
        what, data = scheduler.events.get()
        if what == "Offer" and not launched:
            launched = True
            driver.launch(data, Path(fib).read_bytes(), Path(talk).read_bytes())
        elif what == "TaskStatus":
            status = mesos.TaskStatus.FromString(data)
            state, name = mesos.TaskState.Name(status.state), status.task_id.value
            tell(task=name, state=state, data=status.data.decode(), message=status.message)
            if (name, state) == ("talk", "TASK_RUNNING"):
                driver.send(status.slave_id, b"hello")
            if state not in ("TASK_STARTING", "TASK_RUNNING"):
                living.discard(name)
        elif what == "message":
            tell(message=data.decode())
            driver.kill("talk")
        elif what == "error":
            tell(error=data.decode())
            break
    driver.stop()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
