/** The CronJob and the Deployment, judged by the schemas of Kubernetes, and their settings by increp itself. */
import { validate as validateDeployment } from 'kubernetes-models/_schemas/IoK8sApiAppsV1Deployment';
import { validate as validateCronJob } from 'kubernetes-models/_schemas/IoK8sApiBatchV1CronJob';
import { validate as validateConfigMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap';
import { Deployment } from 'kubernetes-models/apps/v1';
import { CronJob } from 'kubernetes-models/batch/v1';
import { ConfigMap } from 'kubernetes-models/v1';
import { expect, test } from 'vitest';
import { version } from '../../../src/version.ts';
import { projectFile } from '../../support/deploy-files.ts';
import { pipelineDirectory } from '../config/pipeline-directory.ts';
import { manifestDocuments, neverAsked } from './manifests.ts';

const FILES = ['cronjob.yaml', 'deployment.yaml'] as const;
type File = (typeof FILES)[number];

async function manifests(file: File) {
  const [first, second, ...others] = await manifestDocuments(file);
  expect(others).toEqual([]);
  const config = new ConfigMap(first as ConfigMap);
  config.validate();
  const pod = file === 'cronjob.yaml' ? podOfCronJob(second) : podOfDeployment(second);
  const container = pod?.containers[0];
  if (!pod || !container) throw new Error(`${file} has no container`);
  return { config, pod, container };
}

function podOfCronJob(document: unknown) {
  const cronJob = new CronJob(document as CronJob);
  cronJob.validate();
  expect(cronJob.spec?.concurrencyPolicy).toBe('Forbid');
  return cronJob.spec?.jobTemplate.spec?.template.spec;
}

function podOfDeployment(document: unknown) {
  const deployment = new Deployment(document as Deployment);
  deployment.validate();
  const { replicas, strategy, selector, template } = deployment.spec ?? {};
  expect({ replicas, type: strategy?.type }).toEqual({ replicas: 1, type: 'Recreate' });
  expect(template?.metadata?.labels).toEqual(selector?.matchLabels);
  return template?.spec;
}

test.each([
  ['cronjob.yaml', validateCronJob],
  ['deployment.yaml', validateDeployment],
] as const)(
  'each document of %s is what Kubernetes expects, with no key that it does not know',
  async (file, validate) => {
    const { config, pod } = await manifests(file);
    expect(pod.volumes?.find(({ configMap }) => configMap)?.configMap?.name).toBe(config.metadata?.name);
    const [first, second] = await manifestDocuments(file);
    expect(neverAsked(first, validateConfigMap)).toEqual([]);
    expect(neverAsked(second, validate)).toEqual([]);
  },
);

test('the two have the same pod, but for what it runs', async () => {
  const [cronJob, deployment] = [await manifests('cronjob.yaml'), await manifests('deployment.yaml')];
  const { restartPolicy, ...pod } = cronJob.pod;
  expect(restartPolicy).toBe('Never');
  expect(cronJob.container.args).toEqual(['sync']);
  expect(deployment.container.args).toEqual(['sync', '--watch', '30s']);
  expect(deployment.pod).toEqual({
    ...pod,
    containers: [{ ...cronJob.container, args: deployment.container.args }],
  });
  expect(deployment.config).toEqual(cronJob.config);
});

test('a misspelt key would be found', () => {
  const spec = { schedule: '* * * * *', concurencyPolicy: 'Forbid' };
  expect(neverAsked({ apiVersion: 'batch/v1', kind: 'CronJob', spec }, validateCronJob)).toEqual([
    'spec.concurencyPolicy',
  ]);
});

test.each(FILES)('increp takes the variables and the tables of %s as they are', async (file) => {
  const { config, container } = await manifests(file);
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
  expect([settings.source.credential.known, settings.destination.credential.known]).toEqual(
    secrets.map((name) => `${name} of the secret`),
  );
});

test.each(FILES)(
  '%s runs the image of the Dockerfile, as its user, and writes only where it may',
  async (file) => {
    const { pod, container } = await manifests(file);
    const dockerfile = await projectFile('Dockerfile');
    expect(container.image).toBe(`registry.example.com/increp:${version()}`);
    expect(dockerfile).toContain(`docker build -t ${container.image} `);
    expect(dockerfile).toContain(
      `USER ${pod.securityContext?.runAsUser}:${pod.securityContext?.runAsGroup}\n`,
    );
    expect(container.securityContext?.readOnlyRootFilesystem).toBe(true);
    const writable = (container.volumeMounts ?? []).filter(({ readOnly }) => !readOnly);
    expect(writable.map(({ mountPath }) => mountPath)).toEqual(['/tmp']);
    expect(container.env?.find(({ name }) => name === 'STATE_DIR')?.value).toMatch(/^\/tmp\//);
  },
);
