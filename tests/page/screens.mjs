// A lab's day beside labelling: jobs, runs, training, exports, keys, audit, storage, trash.
import { browse, drawn, photo, signIn, theme, told, violations, withhold } from './browse.mjs';

await browse(async ({ page, browser, faults }) => {
  await signIn(page);
  faults.length = 0; // Before it signed in the browser was told 401.
  const wrong = {};
  /** Look at a screen in both themes. */
  const look = async (name) => {
    for (const one of ['light', 'dark']) {
      await theme(page, one);
      wrong[`${name}, ${one}`] = await violations(page);
      await photo(page, `${name}-${one}`);
    }
  };
  const open = (name) => page.getByRole('link', { name, exact: true }).click();
  const heading = (name) => page.getByRole('heading', { name, level: 1 }).waitFor();
  const seen = {};

  await page.locator('a[href^="#/videos/"]').first().waitFor();
  const share = page.locator('li .share');
  await share.and(page.locator(':not(.old)')).first().waitFor();
  seen.share = [await share.first().getAttribute('aria-label'), await share.first().innerText()];
  await look('videos');

  await open('Jobs');
  await heading('Jobs');
  await page.locator('tr[data-job]', { hasText: 'Propagate' }).waitFor();
  seen.jobs = await page.locator('tr[data-job]').evaluateAll((rows) =>
    rows.map((row) => [row.querySelector('strong').textContent, row.querySelector('.tag').textContent]),
  );
  await page.getByLabel(/^State/).selectOption('failed');
  await page.getByText('No job.').waitFor();
  await page.getByLabel(/^State/).selectOption({ label: 'any' });
  await page.locator('tr[data-job]').first().waitFor();
  await page.getByLabel(/^Job/).selectOption('propagate');
  await page.locator('tr[data-job]', { hasText: 'Read a video' }).first().waitFor({ state: 'detached' });
  seen.propagations = await page.locator('tr[data-job] strong').allInnerTexts();
  await page.getByRole('button', { name: /^Log: Propagate/ }).click();
  const lines = page.getByRole('list', { name: /^Log of job/ }).getByRole('listitem');
  await lines.filter({ hasText: 'Done' }).waitFor();
  seen.log = await lines.evaluateAll((all) => all.map((one) => [one.dataset.what, one.innerText]));
  await look('jobs');

  await page.getByRole('link', { name: /^Gait/ }).first().click();
  await page.getByRole('link', { name: 'All runs, estimates' }).first().click();
  const run = page.locator('[data-run]').first();
  await run.getByRole('button', { name: /^Hide/ }).click();
  await run.getByRole('button', { name: /^Show/ }).waitFor();
  seen.hidden = await run.locator('.tag').allInnerTexts();
  await run.getByRole('button', { name: /^Show/ }).click();
  await run.getByRole('button', { name: /^Hide/ }).waitFor();
  await run.getByText('Pedigree').click();
  seen.pedigree = await run.locator('dl').innerText();
  await look('runs');

  await page.getByRole('link', { name: /^Gait/ }).first().click();
  await open('Training');
  await page.getByText('No checkpoint yet.').waitFor();
  await page.getByLabel(/^Estimator/).selectOption('single_frame');
  await page.getByLabel(/^Minutes/).fill('0.05');
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await page.locator('figure[data-epochs]').first().waitFor();
  const checkpoint = page.locator('[data-checkpoint]');
  await checkpoint.waitFor();
  seen.verdict = await checkpoint.locator('p').first().innerText();
  await checkpoint.getByRole('button', { name: /^Promote/ }).click();
  await checkpoint.getByText('promoted', { exact: true }).waitFor();
  await checkpoint.getByText('Report', { exact: true }).click();
  await checkpoint.locator('figure[data-epochs]').waitFor();
  await look('training');
  await checkpoint.getByText('Estimate a video with it').click();
  await checkpoint.getByRole('button', { name: 'Estimate poses' }).click();
  await checkpoint.getByRole('link', { name: 'Look at the poses' }).waitFor();

  await open('Exports');
  await page.getByLabel('people’s').uncheck();
  const preview = page.locator('[data-preview=told]');
  await preview.getByText(/30 poses/).waitFor();
  seen.preview = [await preview.innerText()];
  await look('preview');
  await page.getByLabel('Least score').fill('0.2');
  await preview.getByText(/left out/).waitFor();
  seen.preview.push(await preview.innerText());
  // An answer that comes late, to what was asked for before, ends no asking.
  const asked = [];
  await page.route('**/exports/preview', (route) => asked.push(route));
  for (const least of ['0.1', '0.2']) {
    const request = page.waitForRequest('**/exports/preview');
    await page.getByLabel('Least score').fill(least);
    await request;
  }
  while (asked.length < 2) await drawn(page);
  const late = page.waitForResponse('**/exports/preview');
  await asked[0].continue();
  await (await late).finished();
  await drawn(page);
  seen.asking = [await page.locator('[data-preview]').getAttribute('data-preview')];
  await asked[1].continue();
  await preview.waitFor();
  seen.asking.push(await page.locator('[data-preview]').getAttribute('data-preview'));
  await page.unroute('**/exports/preview');
  await page.getByRole('button', { name: 'Export COCO' }).click();
  const exported = page.locator('[data-export]').first();
  await exported.getByRole('link', { name: /^Download/ }).waitFor();
  seen.exported = await exported.innerText();
  await look('exports');
  await page.getByLabel('Format').selectOption('yolo');
  await page.getByRole('button', { name: 'Export YOLO-pose' }).click();
  const yolo = page.locator('[data-export]').filter({ hasText: 'YOLO-pose' });
  await yolo.getByRole('link', { name: /^Download/ }).waitFor();
  seen.yolo = await yolo.innerText();

  await open('Settings');
  await page.getByLabel('Name', { exact: true }).fill('Gait, renamed');
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('heading', { name: 'Gait, renamed' }).waitFor();
  await look('settings');

  await open('Members and keys');
  await heading('Members and keys');
  await page.getByLabel('Name', { exact: true }).fill('Anna <b>');
  await page.getByLabel(/^Role/).selectOption('reader');
  await page.getByRole('button', { name: 'Make the key' }).click();
  const key = await page.getByTestId('secret').innerText();
  await look('members');
  seen.role = await page.evaluate(async (secret) => {
    const answer = await fetch('/api/v1/me', { headers: { Authorization: `Bearer ${secret}` }, credentials: 'omit' });
    return (await answer.json()).role;
  }, key);
  const other = await browser.newPage();
  await signIn(other, key);
  seen.reader = await other.getByRole('navigation', { name: 'Screens', exact: true }).innerText();
  await other.close();
  await page.reload();
  const row = page.locator('tr', { hasText: 'Anna <b>' });
  await row.waitFor();
  seen.again = await page.getByTestId('secret').count();
  await row.getByRole('button', { name: /^Revoke/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await row.waitFor({ state: 'detached' });

  // Entries of one kind are asked for once those before are there.
  const release = await withhold(page, '**/audit?*');
  await open('Audit');
  await page.getByLabel(/^Act/).waitFor();
  seen.kinds = [await page.getByLabel(/^Act/).isDisabled()];
  await release();
  await page.locator('td.when').first().waitFor();
  seen.kinds.push(await page.getByLabel(/^Act/).isDisabled());
  await page.getByLabel(/^Act/).selectOption('key.revoke');
  await page.locator('td', { hasText: 'revoked a key' }).first().waitFor();
  await look('audit');
  await open('Storage and limits');
  await page.getByText('without a limit').first().waitFor();
  await look('storage');

  await page.getByRole('link', { name: /^Gait/ }).first().click();
  const card = page.locator('li', { hasText: told.spare });
  await card.getByRole('button', { name: /^Delete/ }).click();
  await look('confirm');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the video' }).click();
  await card.waitFor({ state: 'detached' });
  await open('Trash');
  await page.locator('tr', { hasText: told.spare }).waitFor();
  await look('trash');
  await page.getByRole('button', { name: `Restore: ${told.spare}` }).click();
  await page.getByText('Nothing was deleted.').waitFor();
  await page.getByRole('link', { name: /^Gait/ }).first().click();
  await card.waitFor();

  await open('Settings');
  await page.getByRole('button', { name: 'Delete the project' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the project' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByText('No project yet').waitFor();
  seen.projects = await page.locator('nav a[href^="#/projects/"]').count();
  return { ...seen, wrong };
});
