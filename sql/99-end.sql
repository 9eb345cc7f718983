
-- when this is committed, a scheduler comes
SELECT appflow.wake_scheduler();
