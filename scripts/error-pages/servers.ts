/** The two servers, and the way to them. */
import type { ErrorPage } from './error-page.ts';

export const servers = {
  CONNECTION_FAILED: {
    about: 'No connection came about. Four attempts within seconds were made. The copies are as they were.',
    causes: [
      'The server is down or starting.',
      'A wrong host or port (`ECONNREFUSED`: nobody listens there; `ENOTFOUND`: nobody knows the name; a timeout: a firewall).',
      'The database does not exist.',
      'The server listens on `localhost` only (`listen_addresses`).',
    ],
    steps: [
      'From this machine: `pg_isready -h HOST -p PORT`',
      'On that server: `systemctl status postgresql`, and its log.',
      '`increp config` shows which host and port are in force, and from where.',
    ],
    example: [
      'error: source db.example.com:5432/shop: connect ECONNREFUSED 192.0.2.10:5432; tried 4 times (CONNECTION_FAILED)',
      'next:  Check SOURCE_HOST and SOURCE_PORT (or its URL), that the server is up, and that it can be reached from here. To try it: pg_isready -h db.example.com -p 5432',
    ],
  },
  TLS_FAILED: {
    about: 'The connection was not made, and nothing was sent in plain text instead.',
    causes: [
      'The server has no TLS, and `sslmode` is `require` or more.',
      'Its certificate has expired, is for another name, or leads to another root than `..._SSLROOTCERT`.',
      'It demands a client certificate, or refuses the one it got.',
    ],
    steps: [
      'To see the certificate: `openssl s_client -starttls postgres -connect HOST:PORT -showcerts </dev/null`',
      'On the server: `SHOW ssl;`',
      'docs/setup.md#tls says what each `sslmode` means with and without a root.',
    ],
    example: [
      'error: source db.example.com:5432/shop: the server does not support TLS, and sslmode is "require" (TLS_FAILED)',
      'next:  Switch TLS on there (ssl = on), or set SOURCE_SSLMODE to "prefer" or "disable".',
    ],
  },
  CONNECTION_LOST: {
    about:
      'What was unfinished was rolled back by the server. Four attempts were made, each from where the last commit was.',
    causes: [
      'The server was restarted, or failed over.',
      'An administrator or a limit ended the session.',
      'A firewall or NAT that forgets quiet connections.',
      'A network that is gone: nothing was heard for `STALL_TIMEOUT`.',
    ],
    steps: [
      'Run `increp sync` again: it continues.',
      `If it comes again at the same point, look at the server's log at that time: \`FATAL\` and \`terminating connection\` say why.`,
      'For quiet connections: `tcp_keepalives_idle = 60` on the server.',
    ],
    example: [
      'error: source db.example.com:5432/shop: read ECONNRESET; tried 4 times (CONNECTION_LOST)',
      "next:  Look at the log of the source's server and at the network in between, then run increp again: it continues where the last run ended.",
    ],
  },
  SERVER_CHANGED: {
    about:
      'The fence, the snapshot and the rows of a table have to come from one server instance. Nothing was committed. Four attempts were made.',
    causes: [
      'The source was restarted or failed over during the run.',
      'A proxy or a DNS name leads to several servers, such as the standbys of a cluster.',
    ],
    steps: [
      'Run `increp sync` again.',
      'If it happens at every run, set `SOURCE_HOST` to the address of one server.',
      `At the source, \`SELECT pg_postmaster_start_time(), pg_is_in_recovery()\` over several connections shows whether one server answers.`,
    ],
    example: [
      'error: source: another server instance answers than a moment ago (a restart, a failover, or an address that leads to several servers); tried 4 times (SERVER_CHANGED)',
      'next:  Run increp again. If this happens at every run, set SOURCE_HOST to the address of one server.',
    ],
  },
  TOO_MANY_CONNECTIONS: {
    about:
      'Tried four times. A sync takes one connection to each side, `pg_dump` and the history one more, `load_jobs` one for each.',
    causes: [
      '`max_connections` of the server, or `CONNECTION LIMIT` of the role or database.',
      'Runs that overlap, or `load_jobs` above what is left.',
    ],
    steps: [
      `On that server:

\`\`\`sql
SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;
ALTER ROLE increp_reader CONNECTION LIMIT 10;
\`\`\``,
      'With `"initial_load": "copy"` a load needs one connection less.',
    ],
    example: [
      'error: source db.example.com:5432/shop: too many connections for role "reader"; tried 4 times (TOO_MANY_CONNECTIONS, SQLSTATE 53300)',
      'next:  See who takes them (SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2), and raise max_connections or the CONNECTION LIMIT of the role or database. increp needs two or three on each side.',
    ],
  },
  AUTHENTICATION_FAILED: {
    about: 'The server answered and refused the login.',
    causes: [
      'A wrong password, or one that was cut: in `.env` a value with a `#` needs quotes.',
      'A password that was changed on the server.',
      'A role that does not exist.',
      'No line in `pg_hba.conf` for this role, database and address.',
    ],
    steps: [
      '`increp config` shows the role and where the password comes from, never the password.',
      'Try the same login: `psql -h HOST -p PORT -U USER -d DB`',
      `Set it anew, as a superuser there: \`ALTER ROLE increp_reader PASSWORD '...';\``,
      '`pg_hba.conf`: `SELECT * FROM pg_hba_file_rules;` and `SELECT pg_reload_conf();` after a change.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: password authentication failed for user "writer" (AUTHENTICATION_FAILED, SQLSTATE 28P01)',
      'next:  Check DEST_USERNAME and DEST_PASSWORD (or its URL), and pg_hba.conf on that server. To try them: psql -h warehouse.example.com -p 5432 -U writer -d analytics',
    ],
  },
  PRIVILEGE_MISSING: {
    about: 'The message has the statement that grants it.',
    causes: [
      'A table made after `GRANT ... ON ALL TABLES`.',
      'A column without a grant: a copy without it would look complete, so it is refused.',
      'A table at the destination that belongs to somebody else.',
    ],
    steps: [
      'Run the statement from the message as the owner of the table or a superuser.',
      'For tables that are made later: `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO increp_reader;`',
      'docs/setup.md lists what each side needs; `increp check` tries all of it.',
    ],
    example: [
      'error: role "reader" may not read public.orders at the source (PRIVILEGE_MISSING)',
      'next:  At the source, run: GRANT SELECT ON "public"."orders" TO "reader"',
    ],
  },
  ROW_SECURITY: {
    about: 'A copy without the hidden rows would look complete, so nothing is copied.',
    causes: ['Row-level security on the table, or on a table below a view.'],
    steps: [
      'As a superuser at the source: `ALTER ROLE increp_reader BYPASSRLS;`',
      `Or for a view: give it to the view's owner, or make the view without \`security_invoker\`.`,
    ],
    example: [
      'error: row-level security would hide rows of public.orders from role "reader" (ROW_SECURITY)',
      'next:  A copy without those rows would look complete. At the source: ALTER ROLE "reader" BYPASSRLS, or disable row security for the table.',
    ],
  },
  READ_ONLY: {
    about: 'Found before anything was read from the source.',
    causes: [
      '`DEST_HOST` is a standby, or has become one by a failover.',
      'A hoster that makes a full database read-only.',
      '`default_transaction_read_only` of the role, the database or the server.',
    ],
    steps: [
      'At the destination: `SELECT pg_is_in_recovery(); SHOW default_transaction_read_only;`',
      'Point `DEST_HOST` at the primary, or `ALTER ROLE increp_writer RESET default_transaction_read_only;`',
    ],
    example: [
      'error: destination: default_transaction_read_only is on at warehouse.example.com:5432/analytics, for role "writer", its database or the server (READ_ONLY)',
      'next:  Find out who set it and why (a full disk, maintenance), and lift it: ALTER ROLE "writer" RESET default_transaction_read_only, or the same with ALTER DATABASE or ALTER SYSTEM.',
    ],
  },
  DISK_FULL: {
    about: 'That transaction was rolled back. The former copy serves.',
    causes: [
      'The data directory or a tablespace of the server is full.',
      'WAL that is kept for a replication slot or a failing archive.',
      'A load needs room for the new copy beside the old one.',
    ],
    steps: [
      'Free room on that server. What takes it: `SELECT slot_name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots;` and `du -xsh /var/lib/postgresql`',
      'Then run `increp sync` again. A load in chunks (`chunk`) keeps what it has.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: could not extend file "base/16401/16438": No space left on device (DISK_FULL, SQLSTATE 53100)',
      'next:  Free some room on that server, then run increp again: nothing was lost.',
    ],
  },
  QUERY_FAILED: {
    about: "The words and the SQLSTATE are the server's own.",
    causes: [
      'A view, generated column or trigger whose function fails on some row.',
      'A CHECK, foreign key or trigger on the copy that refuses what comes.',
      'A function behind a trigger, event trigger, index, check or view that names something without its schema. It works if the `search_path` of the role of increp has that schema, or if the function brings one: `ALTER FUNCTION ... SET search_path = public`.',
      'A limit such as `temp_file_limit`, or no more memory.',
    ],
    steps: [
      'The log of that server has the statement. The first two characters of the SQLSTATE are its class: https://www.postgresql.org/docs/current/errcodes-appendix.html',
      'For a constraint or trigger on the copy: `\\d TABLE` at the destination; drop it, sync, and make it so that it accepts the rows of the source.',
    ],
    example: [
      'error: source db.example.com:5432/shop: division by zero (QUERY_FAILED, SQLSTATE 22012)',
      'next:  The server of the source refuses that statement, which its log shows. Mend what it names there; "increp check" may know more.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
