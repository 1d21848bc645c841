"""Which act injects which fault."""

from collections.abc import Mapping
from typing import Final

from chaos import faults, network, operators, surroundings
from chaos.cells import OF_CLOCKS, OF_LINKS, Name
from chaos.faults import Act

ACTS: Final[Mapping[Name, type[Act]]] = {
    Name.KILL: faults.Kill,
    Name.TERMINATE: faults.Terminate,
    Name.FREEZE: faults.Freeze,
    Name.OUTAGE: faults.Kill,
    Name.CRASH: faults.Crash,
    Name.DISCONNECT: faults.Disconnect,
    Name.LOCK: faults.Lock,
    Name.CROWD: faults.Crowd,
    Name.BURST: faults.Burst,
    Name.FLUSH: faults.Flush,
    Name.FULL: faults.Full,
    Name.DUPLICATE: faults.Duplicate,
    Name.REORDER: faults.Reorder,
    Name.POISON: faults.Poisoning,
    Name.HOSTILE: faults.Hostility,
    **dict.fromkeys(OF_LINKS, network.Break),
    **dict.fromkeys(OF_CLOCKS, surroundings.SetClock),
    Name.APART: surroundings.Apart,
    Name.DISK: surroundings.Disk,
    Name.FILES: surroundings.Files,
    Name.MEMORY: surroundings.Memory,
    Name.EVICTION: operators.Evict,
    Name.WRONG_TYPE: operators.WrongType,
    Name.PASSWORD: operators.Password,
    Name.INDEX: operators.Index,
    Name.GRANT: operators.Revoke,
    Name.MIGRATION: operators.Migrate,
    Name.POWER: faults.Kill,
    Name.STANDSTILL: faults.Freeze,
    Name.GROUPS_GONE: operators.DestroyGroups,
    Name.CUTS: faults.Cuts,
    Name.FLUSHES: faults.Flushes,
}
