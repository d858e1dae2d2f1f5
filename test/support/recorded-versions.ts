/** What other products answer to `SELECT version()`, as their documentation and tests of other projects record it. */
export const OTHER_SERVERS: readonly (readonly [product: string, version: string])[] = [
  ['CockroachDB', 'CockroachDB CCL v26.2.5 (x86_64-pc-linux-gnu, built 2026/07/28 18:56:00, go1.25.5)'],
  ['CockroachDB', 'CockroachDB CCL v21.1.1 (x86_64-apple-darwin19, built 2021/05/24 15:00:00, go1.15.11)'],
  [
    'YugabyteDB',
    'PostgreSQL 15.12-YB-2026.1.0.1-b0 on x86_64-pc-linux-gnu, compiled by clang version 21.1.1 (https://github.com/yugabyte/llvm-project.git efca861cc42178cc4c555d605b36c79d7d121cc1), 64-bit',
  ],
  [
    'YugabyteDB',
    'PostgreSQL 11.2-YB-2.18.4.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 15.0.3 (https://github.com/yugabyte/llvm-project.git 0b8d1183745fd3998d8beffeec8cbe99c1b20529), 64-bit',
  ],
  [
    'Amazon Redshift',
    'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.77467',
  ],
  ['QuestDB', 'PostgreSQL 12.3, compiled by Visual C++ build 1914, 64-bit, QuestDB'],
  ['CrateDB', 'CrateDB 6.4.5'],
  ['Materialize', 'PostgreSQL 9.5 on x86_64-unknown-linux-gnu (Materialize 26.36.0)'],
  ['RisingWave', 'PostgreSQL 13.14.0-RisingWave-2.3.2 (58c5893670f326f0922b9bc58c61c83cabeccaa8)'],
  ['RisingWave', 'PostgreSQL 9.5-RisingWave-1.6.1 (02ee186211e44001c645027bf5aca3db5f076d29)'],
  [
    'Apache Cloudberry',
    'PostgreSQL 14.4 (Apache Cloudberry 2.0.0-incubating build 1) on aarch64-unknown-linux-gnu, compiled by gcc (GCC) 11.5.0 20240719 (Red Hat 11.5.0-11), 64-bit',
  ],
  [
    'Greenplum',
    'PostgreSQL 12.12 (Greenplum Database 7.4.0 build commit:27de6dc6d00607a5630a41fd2c0ad489f40e2ad4) on x86_64-pc-linux-gnu, compiled by gcc (GCC) 8.5.0 20210514 (Red Hat 8.5.0-22), 64-bit',
  ],
  [
    'openGauss',
    'PostgreSQL 9.2.4 (openGauss 2.0.0 build 78689da9) compiled at 2021-03-31 21:04:03 commit 0 last mr   on x86_64-unknown-linux-gnu, compiled by g++ (GCC) 7.3.0, 64-bit',
  ],
  ['GaussDB', 'gaussdb (GaussDB Kernel 507.0.0 build ...)'],
  [
    'KingbaseES',
    'KingbaseES V008R006C006B0013PS003 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 4.1.2 20080704 (Red Hat 4.1.2-46), 64-bit',
  ],
  ['Vertica', 'Vertica Analytic Database v24.1.0-0'],
  ['Redpanda SQL', 'Redpanda SQL 1.2.0 (abc1234)'],
  ['Spanner', 'Cloud Spanner PostgreSQL interface'],
  ['CedarDB', 'PostgreSQL 16.3 compatible CedarDB v2025-08-20'],
  ['H2', 'PostgreSQL 8.2.23 server protocol using H2 1.4.200 (2019-10-14)'],
];
