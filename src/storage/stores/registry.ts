import { Type, type TObject } from 'typebox';
import type { Driver, DriverContext } from '../driver.ts';
import { createDatabaseDriver } from '../database/database-driver.ts';
import { GITHUB_SETTINGS, githubOptions } from '../github/settings.ts';
import { createGithubDriver } from '../github/github-driver.ts';
import { createLocalDriver } from '../local/local-driver.ts';
import { createS3Driver } from '../s3/s3-driver.ts';
import { S3_SETTINGS, s3Options } from '../s3/settings.ts';

export interface DriverDefaults {
  /** The service's data folder, absolute. */
  dataDir: string;
}

/** A kind of storage: its settings (each read from `{STORE}_{NAME}`), and the function that creates its driver. */
export interface DriverKind {
  settings: TObject;
  /** Defaults that apply only to the store named like the driver, or undefined. */
  defaults?: (defaults: DriverDefaults) => Record<string, string>;
  create(settings: Record<string, unknown>, context: DriverContext): Promise<Driver>;
}

function words(value: unknown): string[] {
  return typeof value === 'string'
    ? value
        .split(',')
        .map((word) => word.trim())
        .filter(Boolean)
    : [];
}

const MOUNT_ALIASES = Type.Optional(
  Type.String({
    pattern: '^/',
    allowed: 'absolute paths separated by commas, such as /runpod-volume,/workspace',
    description:
      'Absolute paths under which others have mounted the same volume; a path below one of them, in what a back end sends, names an object of this store.',
  }),
);

export const DRIVERS: Readonly<Record<string, DriverKind>> = {
  local: {
    settings: Type.Object({
      ROOT: Type.String({
        minLength: 1,
        description: 'Folder that holds the files: a disk or a mounted network volume.',
      }),
      MOUNT_ALIASES,
      FILE_MODE: Type.Optional(
        Type.String({
          pattern: '^0?[67][0-7]{2}$',
          allowed: 'an octal mode that lets the owner read and write, such as 0640',
          description:
            'Mode of new files. Unset: 0644 less the umask, so that others who mount the volume can read it; 0640 is better where nobody does.',
        }),
      ),
    }),
    defaults: ({ dataDir }) => ({ ROOT: `${dataDir}/volume` }),
    create: (settings, context) =>
      createLocalDriver(
        {
          root: String(settings['ROOT']),
          mountAliases: words(settings['MOUNT_ALIASES']),
          // Those paths contain no store name, so they can only belong to the default store.
          served: context.store === 'local',
          ...(typeof settings['FILE_MODE'] === 'string' && { fileMode: Number.parseInt(settings['FILE_MODE'], 8) }),
        },
        context,
      ),
  },
  database: { settings: Type.Object({}), create: async (_settings, context) => createDatabaseDriver(context) },
  s3: {
    settings: Type.Object({ ...S3_SETTINGS.properties, MOUNT_ALIASES }),
    create: async (settings, context) => {
      const options = s3Options(settings, context.store);
      return {
        ...(await createS3Driver(options, context)),
        mounts: { own: [`s3://${options.bucket}/${options.prefix}`], aliases: words(settings['MOUNT_ALIASES']) },
        shared: true,
      };
    },
  },
  github: {
    settings: GITHUB_SETTINGS,
    create: (settings, context) => createGithubDriver(githubOptions(settings), context),
  },
};
