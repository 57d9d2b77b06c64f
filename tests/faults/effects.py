"""A trigger that sees every effect on a computation: a change of its result, and its end."""

from __future__ import annotations

COUNT_EFFECTS = """
CREATE TABLE effects (computation uuid, state text);
CREATE FUNCTION note_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO effects VALUES (NEW.id, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER note_effect AFTER UPDATE ON explanations_computation FOR EACH ROW
WHEN (
    NEW.result IS DISTINCT FROM OLD.result
    OR (NEW.state <> OLD.state AND NEW.state IN ('done', 'failed', 'cancelled'))
)
EXECUTE FUNCTION note_effect();
"""
