/** The CronJob, judged by the schemas of Kubernetes, and its settings by increp itself. */
import { validate as validateCronJob } from 'kubernetes-models/_schemas/IoK8sApiBatchV1CronJob';
import { validate as validateConfigMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap';
import { CronJob } from 'kubernetes-models/batch/v1';
import { ConfigMap } from 'kubernetes-models/v1';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { version } from '../../../src/version.ts';
import { projectFile } from '../../support/deploy-files.ts';
import { pipelineDirectory } from '../config/pipeline-directory.ts';

const documents = async (): Promise<unknown[]> => {
  const parsed = parseAllDocuments(await projectFile('deploy/kubernetes/cronjob.yaml'));
  for (const { errors, warnings } of parsed) expect([...errors, ...warnings]).toEqual([]);
  return parsed.map((document) => document.toJS() as unknown);
};

async function manifests() {
  const [first, second, ...others] = await documents();
  expect(others).toEqual([]);
  const config = new ConfigMap(first as ConfigMap);
  const cronJob = new CronJob(second as CronJob);
  config.validate();
  cronJob.validate();
  const pod = cronJob.spec?.jobTemplate.spec?.template.spec;
  const container = pod?.containers[0];
  if (!pod || !container) throw new Error('the CronJob has no container');
  return { config, cronJob, pod, container };
}

/**
 * The schemas let keys pass that they do not know, and the server would drop them in silence. A key that its schema
 * has never asked for is one of those.
 */
function neverAsked(document: unknown, validate: (data: unknown) => unknown): string[] {
  const unasked = new Set<string>();
  const watched = (value: unknown, path: string): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    for (const key of Object.keys(value)) unasked.add(`${path}${key}`);
    return new Proxy(value, {
      get: (target, key) => {
        unasked.delete(`${path}${String(key)}`);
        return watched(Reflect.get(target, key), `${path}${String(key)}.`);
      },
    });
  };
  validate(watched(document, ''));
  return [...unasked];
}

test('each document is what Kubernetes expects of its kind, with no key that it does not know', async () => {
  const { config, cronJob, pod } = await manifests();
  expect(pod.volumes?.find(({ configMap }) => configMap)?.configMap?.name).toBe(config.metadata?.name);
  expect(cronJob.spec?.concurrencyPolicy).toBe('Forbid');
  const [first, second] = await documents();
  expect(neverAsked(first, validateConfigMap)).toEqual([]);
  expect(neverAsked(second, validateCronJob)).toEqual([]);
});

test('a misspelt key would be found', () => {
  const spec = { schedule: '* * * * *', concurencyPolicy: 'Forbid' };
  expect(neverAsked({ apiVersion: 'batch/v1', kind: 'CronJob', spec }, validateCronJob)).toEqual([
    'spec.concurencyPolicy',
  ]);
});

test('increp takes its variables and its tables as they are', async () => {
  const { config, container } = await manifests();
  const mount = container.volumeMounts?.find(({ name }) => name === 'secrets')?.mountPath ?? '';
  const secrets = ['SOURCE_PASSWORD', 'DEST_PASSWORD'];
  await using pipeline = await pipelineDirectory({
    'tables-config.json': config.data?.['tables-config.json'] ?? '',
    ...Object.fromEntries(secrets.map((name) => [`secrets/${name}`, `${name} of the secret`])),
  });
  const environment = Object.fromEntries(
    (container.env ?? []).map(({ name, value = '' }) => [
      name,
      value.replace(mount, `${pipeline.directory}/secrets`),
    ]),
  );
  const settings = await pipeline.load(environment);
  expect(settings.warnings).toEqual([]);
  expect(settings.pipeline).toBe('shop');
  expect(settings.tables).toHaveLength(2);
  expect([settings.source.password, settings.destination.password]).toEqual(
    secrets.map((name) => `${name} of the secret`),
  );
});

test('it runs the image of the Dockerfile, as its user, and writes only where it may', async () => {
  const { pod, container } = await manifests();
  const dockerfile = await projectFile('Dockerfile');
  expect(container.image).toBe(`registry.example.com/increp:${version()}`);
  expect(dockerfile).toContain(`docker build -t ${container.image} `);
  expect(dockerfile).toContain(`USER ${pod.securityContext?.runAsUser}:${pod.securityContext?.runAsGroup}\n`);
  expect(container.securityContext?.readOnlyRootFilesystem).toBe(true);
  const writable = (container.volumeMounts ?? []).filter(({ readOnly }) => !readOnly);
  expect(writable.map(({ mountPath }) => mountPath)).toEqual(['/tmp']);
  expect(container.env?.find(({ name }) => name === 'STATE_DIR')?.value).toMatch(/^\/tmp\//);
});
