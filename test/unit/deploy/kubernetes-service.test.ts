/** The Deployments of the service, judged by the schemas of Kubernetes, and their settings by increp itself. */
import { validate as validateDeployment } from 'kubernetes-models/_schemas/IoK8sApiAppsV1Deployment';
import { validate as validateConfigMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap';
import { Deployment } from 'kubernetes-models/apps/v1';
import { ConfigMap } from 'kubernetes-models/v1';
import { expect, test } from 'vitest';
import { readServiceSettings } from '../../../src/config/service/control-database.ts';
import { environmentOf } from '../../../src/config/service/pipeline-environment.ts';
import { DEFAULT_TIMING } from '../../../src/timing.ts';
import { version } from '../../../src/version.ts';
import { projectFile } from '../../support/deploy-files.ts';
import { pipelineDirectory } from '../config/pipeline-directory.ts';
import { manifestDocuments, neverAsked } from './manifests.ts';

const FILE = 'service.yaml';
const SECRETS = {
  SERVE_DATABASE_URL: 'postgresql://increp:x@db.example.com/control?sslmode=require\n',
  SHOP_SOURCE_PASSWORD: 'of the source\n',
  SHOP_DEST_PASSWORD: 'of the destination\n',
};

async function manifests() {
  const [first, ...others] = await manifestDocuments(FILE);
  expect(neverAsked(first, validateConfigMap)).toEqual([]);
  const config = new ConfigMap(first as ConfigMap);
  config.validate();
  const deployments = others.map((document) => {
    expect(neverAsked(document, validateDeployment)).toEqual([]);
    const deployment = new Deployment(document as Deployment);
    deployment.validate();
    const { selector, template } = deployment.spec ?? {};
    expect(template?.metadata?.labels).toEqual(selector?.matchLabels);
    const pod = template?.spec;
    const container = pod?.containers[0];
    if (!pod || !container) throw new Error('no container');
    return { name: deployment.metadata?.name, pod, container };
  });
  const [serve, work, ...more] = deployments;
  if (!serve || !work) throw new Error('a Deployment is missing');
  expect([serve.name, work.name, ...more]).toEqual(['increp-serve', 'increp-work']);
  return { config, serve, work };
}

/** The variables of a container, with the files of the secret in a directory. */
const environmentIn = (
  { env = [] }: { readonly env?: readonly { readonly name: string; readonly value?: string }[] },
  directory: string,
) =>
  Object.fromEntries(
    env.map(({ name, value = '' }) => [name, value.replace('/run/secrets/increp', `${directory}/secrets`)]),
  );

test('both pods are closed in the same way, run the image of the Dockerfile, and write only where they may', async () => {
  const { config, serve, work } = await manifests();
  const dockerfile = await projectFile('Dockerfile');
  for (const { pod, container } of [serve, work]) {
    expect(pod.securityContext).toEqual(serve.pod.securityContext);
    expect(container.securityContext).toEqual(serve.container.securityContext);
    expect(container.securityContext?.readOnlyRootFilesystem).toBe(true);
    expect(container.image).toBe(`registry.example.com/increp:${version()}`);
    expect(dockerfile).toContain(
      `USER ${pod.securityContext?.runAsUser}:${pod.securityContext?.runAsGroup}\n`,
    );
    expect(pod.volumes?.find(({ configMap }) => configMap)?.configMap?.name).toBe(config.metadata?.name);
    const writable = (container.volumeMounts ?? []).filter(({ readOnly }) => !readOnly);
    expect(writable.map(({ mountPath }) => mountPath)).toEqual(['/tmp']);
  }
});

test('a worker may finish its syncs before Kubernetes kills it', async () => {
  const { work } = await manifests();
  expect(work.pod.terminationGracePeriodSeconds).toBeGreaterThan(DEFAULT_TIMING.serve.drain);
});

test('increp takes the variables, the secrets and the tables as they are', async () => {
  const { config, serve, work } = await manifests();
  const tables = config.data?.['tables-config.json'] ?? '';
  await using pipeline = await pipelineDirectory({
    'tables-config.json': tables,
    ...Object.fromEntries(Object.entries(SECRETS).map(([name, value]) => [`secrets/${name}`, value])),
  });
  for (const { container } of [serve, work]) {
    const environment = environmentIn(container, pipeline.directory);
    const { control } = await readServiceSettings(pipeline.directory, environment);
    expect(control.host).toBe('db.example.com');
  }
  const settings = await pipeline.load(
    environmentOf('shop', environmentIn(work.container, pipeline.directory)),
  );
  expect(settings.warnings).toEqual([]);
  expect(settings.tables).toHaveLength(2);
  expect(settings.stateDirectory).toMatch(/^\/tmp\//);
  expect([settings.source.credential.known, settings.destination.credential.known]).toEqual([
    'of the source',
    'of the destination',
  ]);
});
