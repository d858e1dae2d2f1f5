/** `seconds`: a parameter, the time without a sign of life after which a worker `w` is lost. */
export const isWorking = (seconds: string): string => /* sql */ `
  w.state = 'working' AND w.seen_at > now() - make_interval(secs => ${seconds})`;
