/** What a test leaves in a database: taken away as far as it is ordinary, and found where it is not. */
import type { Client } from 'pg';

/** Milliseconds. */
const PATIENCE = 5000;

/** Sessions of the test, and of a run that it has killed. @throws where one does not end */
export async function endSessions(admin: Client): Promise<void> {
  const { rows } = await admin.query<{ ended: boolean }>(
    `SELECT pg_terminate_backend(pid, $1) AS ended FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
    [PATIENCE],
  );
  if (rows.some(({ ended }) => !ended)) throw new Error('a session did not end');
}

/** Every schema, extension, publication, event trigger and large object; then "public" as Postgres makes it. */
export async function cleanSchemas(admin: Client): Promise<void> {
  await admin.query(`
    SET client_min_messages = error;
    DO $clean$ DECLARE each record; BEGIN
      FOR each IN SELECT evtname FROM pg_event_trigger LOOP
        EXECUTE format('DROP EVENT TRIGGER %I', each.evtname);
      END LOOP;
      FOR each IN SELECT pubname FROM pg_publication LOOP
        EXECUTE format('DROP PUBLICATION %I', each.pubname);
      END LOOP;
      FOR each IN SELECT nspname FROM pg_namespace WHERE oid >= 16384 OR nspname = 'public' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', each.nspname);
      END LOOP;
      FOR each IN SELECT extname FROM pg_extension WHERE oid >= 16384 LOOP
        EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', each.extname);
      END LOOP;
      FOR each IN SELECT fdwname FROM pg_foreign_data_wrapper WHERE oid >= 16384 LOOP
        EXECUTE format('DROP FOREIGN DATA WRAPPER %I CASCADE', each.fdwname);
      END LOOP;
      PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    END $clean$`);
  await makePublic(admin);
}

/** As initdb makes it: since 15 nobody but the owner of the database may create in it. */
async function makePublic(admin: Client): Promise<void> {
  await admin.query(`
    CREATE SCHEMA public;
    COMMENT ON SCHEMA public IS 'standard public schema';
    DO $public$ BEGIN
      IF current_setting('server_version_num')::int >= 150000 THEN
        ALTER SCHEMA public OWNER TO pg_database_owner;
        GRANT USAGE ON SCHEMA public TO PUBLIC;
      ELSE
        GRANT ALL ON SCHEMA public TO PUBLIC;
      END IF;
    END $public$`);
}

/** Objects that somebody has made have numbers from here on. */
const FIRST_NORMAL = 16_384;

/**
 * Everything in the database that a test may have made or changed, and the database and its role themselves. Numbers of
 * objects are left out, because a schema that was made again has another one.
 */
export async function fingerprintOf(admin: Client): Promise<string> {
  const { rows: catalogs } = await admin.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'oid'
     WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared ORDER BY 1`,
  );
  const counts = catalogs.map(
    ({ name }) =>
      `SELECT '${name}' AS what, count(*)::text AS found FROM pg_catalog.${name} WHERE oid >= ${FIRST_NORMAL}`,
  );
  const text = [...counts, ...OTHERS].join(' UNION ALL ');
  // By a name, so that a session that looks often plans it a few times only.
  const { rows } = await admin.query<{ what: string; found: string | null }>({ name: 'traces', text });
  return rows.map(({ what, found }) => `${what}: ${found}`).join('\n');
}

const OWN = `(SELECT oid FROM pg_database WHERE datname = current_database())`;
/** The role of increp has the database's name but for its beginning. */
const ID = `split_part(current_database(), '_', 2)`;

/** A row that was written anew has the number of another transaction. Far quicker than a digest of what is in the rows. */
const ROWS_AS_WRITTEN = `concat(count(*), ' ', sum(xmin::text::bigint))`;

const OTHERS: readonly string[] = [
  `SELECT 'schemas', string_agg(format('%s %s %s', nspname, nspowner::regrole, nspacl), ', ' ORDER BY nspname)
     FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'`,
  `SELECT 'default privileges', string_agg(format('%s %s %s', defaclrole::regrole, defaclobjtype, defaclacl), ', ' ORDER BY defaclacl::text)
     FROM pg_default_acl`,
  `SELECT 'functions of Postgres', ${ROWS_AS_WRITTEN} FROM pg_proc WHERE oid < ${FIRST_NORMAL}`,
  `SELECT 'rights on catalogs', md5(string_agg(format('%s %s', oid, relacl), ',' ORDER BY oid))
     FROM pg_class WHERE oid < ${FIRST_NORMAL} AND relacl IS NOT NULL`,
  `SELECT 'rights on columns of catalogs', count(*)::text FROM pg_attribute WHERE attacl IS NOT NULL`,
  `SELECT 'types of Postgres', ${ROWS_AS_WRITTEN} FROM pg_type WHERE oid < ${FIRST_NORMAL}`,
  `SELECT 'large objects', count(*)::text FROM pg_largeobject_metadata`,
  `SELECT 'labels', count(*)::text FROM pg_seclabel`,
  `SELECT 'database', format('%s %s %s %s %s', datdba::regrole, datacl, datconnlimit, datallowconn, datistemplate)
     FROM pg_database WHERE oid = ${OWN}`,
  `SELECT 'settings', string_agg(format('%s %s', setrole::regrole, setconfig), ', ' ORDER BY setrole)
     FROM pg_db_role_setting WHERE setdatabase = ${OWN} OR setrole IN (SELECT oid FROM pg_roles WHERE position(${ID} in rolname) > 0)`,
  `SELECT 'roles', string_agg(format('%s %s %s %s %s %s %s %s %s %s', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb,
       rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, md5(rolpassword)), ', ' ORDER BY rolname)
     FROM pg_authid WHERE position(${ID} in rolname) > 0`,
  `SELECT 'memberships', string_agg(format('%s %s', roleid::regrole, member::regrole), ', ' ORDER BY roleid, member)
     FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (m.roleid, m.member) WHERE position(${ID} in rolname) > 0`,
  `SELECT 'prepared transactions', count(*)::text FROM pg_prepared_xacts WHERE database = current_database()`,
  `SELECT 'replication slots', count(*)::text FROM pg_replication_slots WHERE database = current_database()`,
  `SELECT 'subscriptions', count(*)::text FROM pg_subscription WHERE subdbid = ${OWN}`,
];
