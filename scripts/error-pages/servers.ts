/** Errors of the two servers and of the connections to them. */
import type { ErrorPage } from './error-page.ts';

export const servers = {
  CONNECTION_FAILED: {
    about: 'The destination tables stay as they were.',
    causes: [
      'The server is down or starting.',
      'A wrong host or port (connection refused), a wrong name (the name cannot be resolved), or a firewall (no answer).',
      'The database does not exist, or it allows no connections (`ALLOW_CONNECTIONS false`).',
      'The server listens on `localhost` only (`listen_addresses`).',
    ],
    steps: [
      'From this machine, test the connection: `pg_isready -h HOST -p PORT`',
      'On the server, check its state and its log: `systemctl status postgresql`',
      'See which host and port increp uses, and where they are set: `increp config`',
    ],
    example: [
      'error: source db.example.com:5432/shop: connection refused: nothing listens on 192.0.2.10:5432; tried 4 times (CONNECTION_FAILED)',
      '  next: Check SOURCE_HOST and SOURCE_PORT. Check that the server is running, and that this machine can reach it. To test it:',
      '          pg_isready -h db.example.com -p 5432',
    ],
  },
  TLS_FAILED: {
    about: 'No connection was made.',
    causes: [
      'The server has no TLS, and `sslmode` is `require` or stricter.',
      'The certificate of the server has expired, or is for another host name.',
      'The certificate was not issued under the root in `..._SSLROOTCERT`.',
      'The server requires a client certificate, or refused yours.',
    ],
    steps: [
      'See the certificate: `openssl s_client -starttls postgres -connect HOST:PORT -showcerts </dev/null`',
      'On the server, check whether TLS is on: `SHOW ssl;`',
      'See what each `sslmode` means: [TLS](setup.md#tls)',
    ],
    example: [
      'error: source db.example.com:5432/shop: the server does not support TLS, but sslmode is "require" (TLS_FAILED)',
      '  next: Enable TLS on the server (ssl = on), or set SOURCE_SSLMODE to "prefer" or "disable".',
    ],
  },
  SSH_FAILED: {
    about:
      'The message names the bastion and repeats what ssh said. With a ProxyJump, ssh names the host that failed. increp does not retry after a refused login or host key, or if the bastion forbids the connection.',
    causes: [
      'The bastion cannot be reached: `Connection refused`, `Connection timed out`, `Could not resolve hostname`.',
      'The host key is not in `known_hosts` of the user who runs increp, or differs from it: `Host key verification failed`.',
      'The key of this user is not accepted, or needs a passphrase and no agent runs: `Permission denied (publickey)`.',
      'The bastion does not allow connections to this host and port: `administratively prohibited`.',
      'A line of `~/.ssh/config` is not valid, or its `LocalForward` is in use.',
    ],
    steps: [
      'Log in by hand, as the user of increp: `ssh -o BatchMode=yes USER@BASTION exit`',
      'Check what the bastion can reach: `ssh -W DB_HOST:5432 USER@BASTION` waits without a message if it can',
      'See the log of sshd on the bastion: `journalctl -u ssh`',
      'Read how increp starts ssh: [SSH tunnels](ssh.md)',
    ],
    example: [
      'error: source: the SSH tunnel through deploy@bastion.example.com:22 cannot be opened: ssh: connect to host bastion.example.com port 22: Connection refused; tried 4 times (SSH_FAILED)',
      '  next: Check SOURCE_SSH, and that this machine can reach that host. To test it, run as the user of increp:',
      '          ssh -p 22 deploy@bastion.example.com exit',
    ],
  },
  CONNECTION_LOST: {
    about: 'The server rolled back unfinished work. Each attempt continued from the last commit.',
    causes: [
      'The server was restarted, or failed over.',
      'An administrator or a limit of the server ended the session.',
      'A firewall or NAT dropped an idle connection.',
      'The network is down: the server sent nothing for `STALL_TIMEOUT`.',
    ],
    steps: [
      'Run `increp sync` again: it continues.',
      "If it happens at the same point again, check the server's log for `FATAL` and `terminating connection`.",
      'To keep idle connections open, set `tcp_keepalives_idle = 60` on the server.',
    ],
    example: [
      'error: source db.example.com:5432/shop: the connection was closed by the other side; tried 4 times (CONNECTION_LOST)',
      '  next: Check the log of the source server and the network. Then run increp again; it continues where the last run ended.',
    ],
  },
  COMMIT_UNCONFIRMED: {
    about:
      'The changes are committed at the destination, and readers see them. But the server waits for a synchronous standby with each commit, and no standby confirmed this one. If the server fails over to a standby without this commit, the next run copies the changes again.',
    causes: [
      'A standby in `synchronous_standby_names` is stopped, or it does not reach the destination.',
      'A standby needs longer to confirm than `STALL_TIMEOUT`, or than the time of `--max-duration` plus 5 s.',
      'A user cancelled the wait with `pg_cancel_backend()`.',
    ],
    steps: [
      'At the destination, see which standbys are connected: `SELECT application_name, state, sync_state FROM pg_stat_replication;`',
      "Start the missing standby. Or remove it: `ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();`",
      'Or let the role of increp not wait for standbys: `ALTER ROLE increp_writer SET synchronous_commit = local;`',
    ],
    example: [
      'error: destination db.example.com:5432/copy: no synchronous standby confirmed the commit within 2m (synchronous_standby_names = standby1) (COMMIT_UNCONFIRMED)',
      '  next: The changes are committed on that server, and the next run continues from them. Start the standby, or remove it from synchronous_standby_names there. Then run there: SELECT pg_reload_conf()',
    ],
  },
  SERVER_CHANGED: {
    about: 'increp reads a table from one server instance only. Nothing of this table was committed.',
    causes: [
      'The source was restarted or failed over during the run.',
      'A proxy or a DNS name leads to several servers, such as the standbys of a cluster.',
    ],
    steps: [
      'Run `increp sync` again.',
      'If it happens at every run, set `SOURCE_HOST` to the address of one server.',
      'To test an address, run this over several connections: `SELECT pg_postmaster_start_time(), pg_is_in_recovery();`',
    ],
    example: [
      'error: source: another server instance answers than at the start of the sync (a restart, a failover, or an address of several servers); tried 4 times (SERVER_CHANGED)',
      '  next: Run increp again. If this happens at every run, set SOURCE_HOST to the address of one server.',
    ],
  },
  TOO_MANY_CONNECTIONS: {
    about:
      '[Connections and limits](setup.md#connections-and-limits) shows how many connections a run uses on each side.',
    causes: [
      '`max_connections` of the server is reached.',
      'The `CONNECTION LIMIT` of the role or the database is reached.',
      'Runs overlap, or `jobs` or `load_jobs` is too high. `increp check` compares the connections needed with both limits.',
    ],
    steps: [
      `On the server, see which sessions exist, and raise the limit:

\`\`\`sql
SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;
ALTER ROLE increp_reader CONNECTION LIMIT 10;
\`\`\``,
      'Or set `"initial_load": "copy"`: a load then needs one connection less.',
    ],
    example: [
      'error: source db.example.com:5432/shop: too many connections for role "reader"; tried 4 times (TOO_MANY_CONNECTIONS, SQLSTATE 53300)',
      '  next: To see the connections: SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2. Raise max_connections, or the CONNECTION LIMIT of the role or database. increp needs two or three on each side, and more with several jobs.',
    ],
  },
  AUTHENTICATION_FAILED: {
    about:
      'If a server answered, host and port are correct. If the message names a variable such as `SOURCE_PASSWORD_COMMAND`, that program failed, or printed no password.',
    causes: [
      'The password is wrong, or was changed on the server.',
      'The program of `..._PASSWORD_COMMAND` is not logged in to its own service, or asks a question.',
      'The password was cut off: in `.env`, a value with a `#` needs quotes.',
      'The password has expired (`VALID UNTIL` of the role). The server says the same as for a wrong password.',
      'The role does not exist, or it may not log in (`NOLOGIN`).',
      '`pg_hba.conf` has no line for this role, database and address.',
    ],
    steps: [
      'See which role increp uses, and where the password is set: `increp config`',
      'Run the program of `..._PASSWORD_COMMAND` by hand: [passwords](passwords.md#password-command)',
      'Try the same login: `psql -h HOST -p PORT -U USER -d DB`',
      "Set a new password, as a superuser of that server: `ALTER ROLE increp_reader PASSWORD '...';`",
      "See whether the password has expired: `SELECT rolvaliduntil FROM pg_roles WHERE rolname = 'increp_reader';` To remove the date: `ALTER ROLE increp_reader VALID UNTIL 'infinity';`",
      'Check the rules of the server: `SELECT * FROM pg_hba_file_rules;` After a change, run `SELECT pg_reload_conf();`',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: password authentication failed for user "writer" (AUTHENTICATION_FAILED, SQLSTATE 28P01)',
      '  next: Check DEST_USERNAME and DEST_PASSWORD. Also check pg_hba.conf on that server, and whether the password of the role has expired (VALID UNTIL, rolvaliduntil in pg_roles). To test the login:',
      '          psql -h warehouse.example.com -p 5432 -U writer -d analytics',
    ],
  },
  PRIVILEGE_MISSING: {
    about: 'The message has the statement that grants it.',
    causes: [
      'The table was created after `GRANT ... ON ALL TABLES`.',
      'The role may not read one of the columns. increp refuses the table, because an incomplete table would look complete.',
      'The destination table belongs to another role.',
    ],
    steps: [
      'Run the statement from the message, as the role that the message names. Only a superuser can give the table of another role to the role of increp.',
      'If you do not need a column, leave it out with `exclude_columns`.',
      'For tables of the future: `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO increp_reader;`',
      'Check all privileges at once: `increp check`',
      'See what each role needs: [source](setup.md#source-role), [destination](setup.md#destination-role)',
    ],
    example: [
      'error: role "reader" may not read public.orders at the source (PRIVILEGE_MISSING)',
      '  next: At the source, run: GRANT SELECT ON "public"."orders" TO "reader"',
    ],
  },
  ROW_SECURITY: {
    about: 'increp refuses the table, because a destination table without these rows would look complete.',
    causes: ['The table has row-level security, or a view or a `query` reads a table that has it.'],
    steps: [
      'At the source, as a superuser: `ALTER ROLE increp_reader BYPASSRLS;`',
      `Without a superuser, the owner of the table can create a view of the rows that you want to copy. Row-level security does not apply to the owner, unless the table has \`FORCE ROW LEVEL SECURITY\`:

\`\`\`sql
CREATE VIEW tenant_orders AS SELECT * FROM orders WHERE tenant = 1;
GRANT SELECT ON tenant_orders TO increp_reader;
\`\`\`

Then configure the view as the table: \`{ "name": "tenant_orders", "dest_name": "orders", "replication_key": "updated_at", "unique_cols": ["id"] }\``,
      'For a view, grant `BYPASSRLS` to the owner of the view, or create the view without `security_invoker`.',
    ],
    example: [
      'error: row-level security would hide rows of public.orders from role "reader", and the destination table would lack them (ROW_SECURITY)',
      '  next: At the source, run: ALTER ROLE "reader" BYPASSRLS. Or disable row-level security for the table. Without a superuser, the owner of the table can create a view of the rows to copy and grant SELECT on it. Then configure the view as the table. More:',
      '          increp help ROW_SECURITY',
    ],
  },
  READ_ONLY: {
    about: 'increp stops before it reads the source.',
    causes: [
      '`DEST_HOST` is a standby, or became a standby in a failover.',
      'The server is being restored from a backup, and recovery has not ended.',
      'The hosting provider made the database read-only because its disk is full.',
      '`default_transaction_read_only` is on for the role, the database or the server.',
    ],
    steps: [
      'At the destination, check both: `SELECT pg_is_in_recovery(); SHOW default_transaction_read_only;`',
      'If it is a standby, set `DEST_HOST` to the primary.',
      'If it is being restored, wait for the end of recovery. If it has `standby.signal` and no primary, promote it as a superuser: `SELECT pg_promote();`',
      'If the setting is on, the message says where it was set, and who can reset it with which statement. Each role can reset its own setting.',
    ],
    example: [
      'error: destination: default_transaction_read_only is on at warehouse.example.com:5432/analytics, for role "writer" (READ_ONLY)',
      '  next: Check why it was set (a full disk, maintenance). To reset it, run at the destination as role "writer" or a superuser: BEGIN READ WRITE; ALTER ROLE "writer" RESET default_transaction_read_only; COMMIT',
    ],
  },
  DISK_FULL: {
    about: 'The transaction was rolled back. The destination table stays as it was.',
    causes: [
      'The data directory or a tablespace of the server is full.',
      'The server keeps WAL for a replication slot or for an archive that fails.',
      'A load needs space for the new table beside the old one.',
    ],
    steps: [
      `On the server, find what takes the space:

\`\`\`sh
psql -c 'SELECT slot_name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots'
du -xsh /var/lib/postgresql
\`\`\``,
      'If the path begins with `pg_tblspc`, the number after it is the oid of a tablespace: `SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace WHERE oid = 17140;`',
      'Free some space, and run `increp sync` again. A load in chunks (`chunk`) keeps the chunks that are done, and its staging table needs their space until the load is complete. To discard the load and free that space, run the command in the message (`increp reset <table>`). Other loads and incremental syncs keep nothing: after them, the staging tables (`<table>_stg`) have less than 1 MB.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: could not extend file "base/16401/16438": No space left on device (DISK_FULL, SQLSTATE 53100)',
      '  next: Free some space on that server, then run increp again. No data was lost.',
    ],
  },
  QUERY_FAILED: {
    about: 'The message and the SQLSTATE come from the server.',
    causes: [
      'The SQL in `where`, `transform` or `query` fails for some row, for example because it divides by zero.',
      'A view, a generated column or a trigger calls a function that fails for some row.',
      'A `CHECK` constraint or a trigger on the destination table refuses a row.',
      'A function uses names without a schema, and the `search_path` of the role does not have them.',
      'The server reached a limit, such as `temp_file_limit`, or has no memory left.',
      'The lock table of the server is full (SQLSTATE 53200). Other sessions hold many locks, or one table has thousands of partitions and indexes.',
    ],
    steps: [
      "Find the statement in the server's log. The SQLSTATE is explained in the [list of codes](https://www.postgresql.org/docs/current/errcodes-appendix.html).",
      'For `where`, `transform` or `query`, run the expression at the source, and write it so that it accepts every row: `v / nullif(d, 0)`',
      'If the next step names a function, list its triggers with the statement that it prints.',
      'For a constraint or trigger, see the table at the destination: `\\d TABLE`. Drop the object, sync, and create it so that it accepts the rows.',
      'For a function, set its path: `ALTER FUNCTION ... SET search_path = public`',
      'For a full lock table, raise `max_locks_per_transaction`, and restart that server: `ALTER SYSTEM SET max_locks_per_transaction = 256`',
    ],
    example: [
      'error: source db.example.com:5432/shop: division by zero (QUERY_FAILED, SQLSTATE 22012)',
      '  next: The source server refuses the statement; its log shows it. Fix the reported problem.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
