"""What was published, sent or decided never changes: the database refuses it.

A published instrument may still be retired and attested anew; its content stays. A sent response
stays as it was sent. Steps of a review are append-only, as the audit trail is.
"""

from django.db import migrations

FORBID = """
CREATE FUNCTION duet_instrument_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.state <> 'draft'
       AND (OLD.slug, OLD.version, OLD.language, OLD.title, OLD.definition, OLD.fhir,
            OLD.content_hash, OLD.published_at)
           IS NOT DISTINCT FROM
           (NEW.slug, NEW.version, NEW.language, NEW.title, NEW.definition, NEW.fhir,
            NEW.content_hash, NEW.published_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a published instrument stays as it is' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER duet_instrument_stays BEFORE UPDATE OR DELETE ON duet_intake_instrument
    FOR EACH ROW EXECUTE FUNCTION duet_instrument_stays();
CREATE FUNCTION duet_response_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_at IS NULL THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'a sent response stays as it is' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER duet_response_stays BEFORE UPDATE OR DELETE ON duet_intake_response
    FOR EACH ROW EXECUTE FUNCTION duet_response_stays();
CREATE FUNCTION duet_step_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER duet_reviewstep_stays BEFORE UPDATE OR DELETE ON duet_intake_reviewstep
    FOR EACH ROW EXECUTE FUNCTION duet_step_stays();
"""

ALLOW = """
DROP TRIGGER duet_instrument_stays ON duet_intake_instrument;
DROP TRIGGER duet_response_stays ON duet_intake_response;
DROP TRIGGER duet_reviewstep_stays ON duet_intake_reviewstep;
DROP FUNCTION duet_instrument_stays();
DROP FUNCTION duet_response_stays();
DROP FUNCTION duet_step_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("duet_intake", "0001_instruments_intakes_reviews")]

    operations = [migrations.RunSQL(FORBID, ALLOW)]
