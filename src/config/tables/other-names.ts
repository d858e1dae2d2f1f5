/** What other programs, and people, call the settings of the tables file. */
import { nearest } from '../../nearest.ts';

const OTHER_NAMES: Readonly<Record<string, string>> = {
  unique_cols:
    'primary_key primary_keys primary_key_columns pk pks key keys key_columns key_properties id id_column id_columns unique unique_key unique_keys unique_by unique_on merge_key merge_keys merge_on upsert_key upsert_keys match_on identity',
  replication_key:
    'key keys cursor cursor_field cursor_fields cursor_column cursor_path incremental incremental_key incremental_column incremental_field updated_at updated_at_column updated_at_field updated_column update_key modified_at modified_column timestamp timestamp_column watermark watermark_column bookmark bookmark_column version_column tracking_column increment_by order_by',
  mode: 'sync_mode sync_type write_mode write_disposition load_type load_mode replication_method replication_mode strategy incremental_strategy destination_sync_mode materialized method',
  dest_name:
    'destination destination_name destination_table dest dest_table target target_name target_table to sink sink_table alias object',
  name: 'table table_name source source_name source_table stream stream_name from relation tbl',
  schema: 'source_schema schema_name from_schema namespace',
  dest_schema: 'destination_schema target_schema target_namespace to_schema',
  tables: 'table streams stream sources models',
  destinations: 'destination dest target targets sinks',
  defaults: 'common global options settings',
  columns: 'fields select include include_columns included_columns only only_columns selected_columns',
  exclude_columns: 'exclude excludes excluded except ignore ignored_columns ignore_columns skip_columns omit',
  where: 'filter filters filter_sql row_filter condition conditions predicate',
  query: 'sql sql_query source_query custom_query',
  rename: 'mapping mappings map column_mapping column_mappings column_map aliases renames',
  transform: 'transforms transformation transformations expressions computed computed_columns mask',
  chunk: 'batch batch_size page_size split',
  load_jobs: 'parallel parallelism threads workers concurrency',
  jobs: 'parallel parallelism threads workers concurrency',
  deletes: 'delete delete_mode hard_delete hard_deletes soft_delete soft_deletes',
  on_schema_change: 'schema_change schema_changes schema_evolution schema_drift schema_contract',
  lookback: 'overlap lag grace late_arriving attribution_window',
  max_staleness: 'freshness max_age staleness',
  warn_staleness: 'warn_after',
  schedule: 'cron interval every frequency cron_schedule',
  every: 'interval frequency seconds',
  time_zone: 'tz zone',
  enabled: 'active is_active is_enabled selected',
  on_conflict: 'conflict conflicts conflict_resolution',
};

const OWN_NAMES = Object.entries(OTHER_NAMES).flatMap(([own, others]) =>
  others.split(' ').map((other) => ({ own, other })),
);

/** `primaryKey`, `primary-key` and `PRIMARY_KEY` are `primary_key`. */
const asKey = (word: string) =>
  word
    .replaceAll(/([a-z])(?=[A-Z])/g, '$1_')
    .toLowerCase()
    .replaceAll(/[-. ]+/g, '_');

const meaningsOf = (word: string, known: readonly string[]): string[] => {
  const key = asKey(word);
  return OWN_NAMES.flatMap(({ own, other }) => (other === key && known.includes(own) ? [own] : []));
};

/**
 * The key that was probably meant by an unknown one. With more than one meaning, as `key` has, it is not the meaning of
 * another written key.
 */
export function meantKey(
  word: string,
  known: readonly string[],
  written: readonly string[] = [],
): string | undefined {
  const meanings = meaningsOf(word, known);
  if (meanings.length === 0) return nearest(asKey(word), known);
  const taken = written
    .filter((other) => other !== word)
    .flatMap((other) => {
      const [meaning, ...more] = known.includes(other) ? [other] : meaningsOf(other, known);
      return meaning !== undefined && more.length === 0 ? [meaning] : [];
    });
  return meanings.find((meaning) => !taken.includes(meaning)) ?? meanings[0];
}
