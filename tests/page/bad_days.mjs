// Bad days: the service goes away, the session ends, somebody else was faster, the page is left with an unsaved edit.
import { ask, browse, drag, keypoint, photo, saved, saveState, shown, signIn, told, violations, withhold } from './browse.mjs';

await browse(async ({ page, context, browser }) => {
  await signIn(page);
  const seen = { wrong: {} };
  const name = told.keypoint;
  const place = `${told.address}/#/videos/${told.video}`;
  const open = async (one) => {
    await one.goto(place);
    await shown(one, 0);
    await one.locator(`svg circle[data-keypoint="${name}"]`).waitFor();
    await saved(one);
  };
  const at = async (one = page) => (await keypoint(one, name)).at;
  const onService = () =>
    page.evaluate(async ([video]) => {
      const answer = await fetch(`/api/v1/videos/${video}/labels?start=0&stop=1&layer=human`);
      return (await answer.json()).labels[0].keypoints;
    }, [told.video]);

  // What could not be read when a video was opened is read at a click.
  for (const address of [`**/api/v1/videos/${told.video}`, /\/tracks\?/]) {
    await page.route(address, (route) => route.abort());
    await page.goto('about:blank');
    await page.goto(place);
    await page.getByRole('alert').filter({ hasText: 'The service cannot be reached.' }).waitFor();
    await page.unroute(address);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator(`svg circle[data-keypoint="${name}"]`).waitFor();
  }

  await page.goto('about:blank');

  // A long reason why a frame is not shown is read whole, with what tries it again.
  const detail = `the file ${'0123456789abcdef'.repeat(8)} is missing from the storage of the server; whoever runs it can put it back from a copy`;
  await page.route('**/frames/**', (route) => route.fulfill({ status: 410, contentType: 'application/problem+json', body: JSON.stringify({ status: 410, detail }) }));
  await page.goto(place);
  const why = page.getByRole('alert').filter({ hasText: 'This frame cannot be shown' });
  await why.waitFor();
  const [stage, box] = [await page.locator('.stage').boundingBox(), await why.boundingBox()];
  seen.whole = box.x >= stage.x && box.x + box.width <= stage.x + stage.width;
  await photo(page, 'frame-missing');
  await page.unroute('**/frames/**');
  await why.getByRole('button', { name: 'Try again' }).click();
  await shown(page, 0);
  await page.goto('about:blank');

  // The service is slow: who clicks before it is known what people said places nothing over it.
  const release = await withhold(page, /\/labels\?/);
  await page.goto(place);
  await shown(page, 0);
  await page.locator('.picture').click({ position: { x: 200, y: 150 } });
  await page.keyboard.press('Enter');
  await page.keyboard.press('x');
  const early = page.getByText('The labels are still being read.');
  await early.waitFor();
  seen.early = [await early.isVisible(), await page.getByTestId('save-state').innerText()];
  await release();
  await page.keyboard.press('Escape');
  await page.locator(`svg circle[data-keypoint="${name}"]`).waitFor();
  seen.early.push((await onService())[told.index], await page.getByRole('button', { name: /^subject/i }).count());

  await open(page);

  // The service goes away in the middle of an edit, and comes back.
  await ask('end');
  await drag(page, name, [24, 0]);
  await saveState(page, 'offline');
  seen.away = await page.getByTestId('save-state').innerText();
  await photo(page, 'service-away');
  await ask('begin');
  await saved(page);
  seen.back = [await at(), (await onService())[told.index]];

  // No network while it is tried several times.
  await context.setOffline(true);
  let lost = 0;
  page.on('requestfailed', (request) => request.url().endsWith('/labels') && lost++);
  await drag(page, name, [0, 18]);
  await saveState(page, 'offline');
  while (lost < 3) await page.waitForEvent('requestfailed');
  await context.setOffline(false);
  await saved(page);
  seen.online = [await at(), (await onService())[told.index]];

  // The page is left with an edit that could not be saved; it is offered afterwards.
  await page.route('**/labels', (route) => (route.request().method() === 'PUT' ? route.abort() : route.continue()));
  await drag(page, name, [-20, 0]);
  await saveState(page, 'offline');
  const left = await at();
  await page.reload();
  const offer = page.getByText('1 edit of last time did not reach the service.');
  await offer.waitFor();
  seen.wrong.offer = await violations(page);
  await photo(page, 'offered');
  await page.unroute('**/labels');
  await page.getByRole('button', { name: 'Save them now' }).click();
  await offer.waitFor({ state: 'detached' });
  await saved(page);
  seen.reloaded = [left, await at(), (await onService())[told.index]];

  // The session ends; what waits is saved after signing in again, on the same screen.
  const send = await withhold(page, '**/labels');
  await drag(page, name, [0, -22]);
  await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }));
  await send();
  await page.getByText('Your session has ended.').waitFor();
  seen.wrong.again = await violations(page);
  const waiting = await at();
  await page.getByLabel('API key').fill(told.key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await saved(page);
  seen.signedIn = [waiting, await at(), (await onService())[told.index]];

  // Somebody else moves the same keypoint first: both versions side by side, and either can stand.
  for (const whose of ['mine', 'theirs']) {
    const other = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    await signIn(other);
    await open(other);
    await drag(other, name, [whose === 'mine' ? 30 : -30, 12]);
    await saved(other);
    const theirs = await at(other);
    await drag(page, name, [-12, whose === 'mine' ? -25 : 25]);
    await saveState(page, 'conflict');
    const mine = await at();
    const card = page.getByRole('alert').filter({ hasText: 'Somebody else changed the same labels' });
    await card.locator('figure').nth(1).waitFor();
    seen.wrong[`conflict, ${whose}`] = await violations(page);
    await photo(page, `conflict-${whose}`);
    await card.getByRole('button', { name: whose === 'mine' ? 'Keep mine' : 'Take theirs' }).click();
    await saved(page);
    seen[whose] = { mine, theirs, here: await at(), there: (await onService())[told.index] };
    await other.context().close();
  }
  return seen;
});
