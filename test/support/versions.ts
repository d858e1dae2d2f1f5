/** Every version that a source table has had, for copies that keep them all. */
import type { Pair } from './open-pair.ts';
import { ORDERS_CONFIG } from './shop.ts';

export const APPEND = { ...ORDERS_CONFIG, mode: 'incremental-append' } as const;

/** Each version that the source has ever had, kept by a trigger: what the copy is held to. */
export const WITNESS = `
  CREATE TABLE versions (id bigint, total numeric(12,2), note text, updated_at timestamptz);
  INSERT INTO versions SELECT id, total, note, updated_at FROM orders;
  CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.versions VALUES (NEW.id, NEW.total, NEW.note, NEW.updated_at); RETURN NEW; END $$;
  CREATE TRIGGER witness AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION witness()`;

const VERSIONS = 'SELECT id, total::text, note, updated_at::text FROM %s ORDER BY 1, 4, 2, 3';
export const versionsIn = async (client: Pair['source'], table: string) =>
  (await client.query(VERSIONS.replace('%s', table))).rows;
