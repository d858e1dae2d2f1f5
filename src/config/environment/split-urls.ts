/** Splits DEST_URLS: pure. */

const SCHEMED = /^(?:([^=:/?#@\s]*)=)?(postgres(?:ql)?:\/\/.*)$/i;

/**
 * `name=postgresql://...`, separated by white space. A part that is not a URL is never shown, because it may be a
 * password.
 */
export function splitUrls(text: string): readonly { name: string | undefined; url: string | undefined }[] {
  return text
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => {
      const [, name, url] = SCHEMED.exec(word) ?? [];
      return { name: name === '' ? undefined : name, url };
    });
}
