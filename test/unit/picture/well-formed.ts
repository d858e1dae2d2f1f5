/** As much of XML as our pictures use: elements that close in order, attributes in quotes, the five entities. */
export function wellFormed(xml: string): string[] {
  const faults: string[] = [];
  const open: string[] = [];
  const rest = xml.replaceAll(
    /<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, close: string, name: string, __, empty: string) => {
      if (close && open.pop() !== name) faults.push(`</${name}> closes what is not open`);
      if (!close && !empty) open.push(name);
      return '';
    },
  );
  if (/[<>]/.test(rest)) faults.push('a bare < or >');
  if (/&(?!(amp|lt|gt|quot|apos);)/.test(xml)) faults.push('a bare &');
  if (open.length > 0) faults.push(`never closed: ${open.join(', ')}`);
  if (!xml.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')) faults.push('not an SVG');
  return faults;
}
