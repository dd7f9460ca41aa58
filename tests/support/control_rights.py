"""The rights that PerformerControl's methods need, written by hand: the rules are no own judge."""

RIGHTS = {
    "CreatePerformer": ["create performers"],
    "GetPerformer": ["get performers"],
    "ListPerformers": ["list performers"],
    "UpdatePerformer": ["update performers"],
    "DeletePerformer": ["delete performers"],
    "WatchPerformers": ["watch performers"],
    "ScalePerformer": ["update performers/scale"],
    "PromotePerformer": ["update performers/promote"],
    "AbortPerformer": ["update performers/abort"],
    "RollbackPerformer": ["update performers/rollback"],
    "DrainPerformer": ["update performers/drain", "update performers/fence"],
    "FencePerformer": ["update performers/fence"],
    "UnfencePerformer": ["update performers/fence"],
    "SuspendPerformer": ["update performers/suspend"],
    "ResumePerformer": ["update performers/suspend"],
    "ExplainPerformer": ["get performers"],
    "ListRevisions": ["get performers"],
    "GetLogs": ["get performers/log"],
    "ReportDrain": ["update performers/drainreport"],
}

ALL_RIGHTS = frozenset(right for rights in RIGHTS.values() for right in rights)
