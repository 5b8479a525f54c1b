// Drives the npm package rets-client. The task comes on standard input, what came of it goes to
// standard output as one line of JSON; interop/drivers/visit.py says what both hold.
'use strict';

const { createHash } = require('crypto');
const { readFileSync } = require('fs');
const rets = require('rets-client');

const NO_OBJECT_FOUND = '20403';
const ANSWER_SECONDS = 10; // a promise of this client may stay open for ever
const WHY_LENGTH = 160;

const task = JSON.parse(readFileSync(0, 'utf8'));
const told = { metadata: {}, listings: [], photos: [], failures: [] };

function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${ANSWER_SECONDS} s`)), ANSWER_SECONDS * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function step(name, work) {
  try {
    await inTime(work());
  } catch (error) {
    const why = `${error.name}: ${error.message}`.split(/\s+/).join(' ');
    told.failures.push([name, why.slice(0, WHY_LENGTH)]);
  }
}

async function lookAround(client) {
  const rows = async (answer) => (await answer).results[0].metadata;
  const resource = (await rows(client.metadata.getResources())).find((row) => row.ResourceID === task.resource);
  const classes = await rows(client.metadata.getClass(task.resource));
  const types = await rows(client.metadata.getObject(task.resource));
  const fields = await rows(client.metadata.getTable(task.resource, task.class_));
  told.metadata = {
    resource: resource.ResourceID,
    key_field: resource.KeyField,
    classes: classes.map((row) => row.ClassName),
    object_types: types.map((row) => row.ObjectType),
    fields: fields.map((row) => row.SystemName),
  };
}

async function search(client) {
  for (let offset = 1, more = true; more; ) {
    const options = { offset, format: task.search_format };
    const found = await client.search.query(task.resource, task.class_, task.query, options);
    told.listings.push(...found.results.map((row) => row[task.key_field]));
    offset += found.results.length;
    more = found.maxRowsExceeded && found.results.length > 0;
  }
}

async function fetch(client, key, ids) {
  const options = { alwaysGroupObjects: true };
  const answer = await client.objects
    .getObjects(task.resource, task.object_type, { [key]: ids }, options)
    .catch((error) => {
      if (error.replyCode === NO_OBJECT_FOUND) return { objects: [] };
      throw error;
    });
  for (const { headerInfo, data, error } of answer.objects) {
    if (error) throw error;
    // The first of them describes the answer and holds no object.
    if (data !== undefined) {
      const sha256 = createHash('sha256').update(data || '').digest('hex');
      told.photos.push([headerInfo.contentId, headerInfo.objectId, sha256]);
    }
  }
}

async function drive() {
  const { login_url: loginUrl, username, password } = task;
  const client = new rets.Client({ loginUrl, username, password, version: 'RETS/1.7.2' });
  await client.login();
  await step('metadata', () => lookAround(client));
  await step('search', () => search(client));
  for (const [key, ids] of task.ask) {
    await step(`photos of ${key}`, () => fetch(client, key, ids));
  }
  await step('logout', () => client.logout());
}

drive()
  .catch((error) => told.failures.push(['session', `${error.name}: ${error.message}`.slice(0, WHY_LENGTH)]))
  .finally(() => process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0)));
