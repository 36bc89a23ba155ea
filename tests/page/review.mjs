// Going through what a machine is least sure of: right, wrong, later, a fix that is propagated, a verdict taken back.
import { browse, drag, goTo, photo, saved, shown, signIn, theme, told, violations } from './browse.mjs';

await browse(async ({ page }) => {
  await signIn(page);
  await page.goto(`${told.address}/#/videos/${told.video}`);
  await shown(page, 0);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  const list = page.getByRole('list', { name: 'Review' }).getByRole('listitem');
  const current = () => page.locator('li[aria-current=true]').innerText();
  const counters = () => page.getByTestId('review-counters').innerText();
  const onFrame = () => page.evaluate(() => Number(document.querySelector('.screen').dataset.shown));
  /** The suggestion that comes up when something was done with the one before. */
  const after = async (act) => {
    const before = await current();
    await act();
    await page.waitForFunction((was) => document.querySelector('li[aria-current=true]')?.innerText !== was, before);
    const frame = Number((await current()).match(/\d+/)[0]);
    await shown(page, frame);
    return frame;
  };

  await page.keyboard.press('r');
  await list.first().waitFor();
  await page.locator('li[aria-current=true]').waitFor();
  const first = Number((await current()).match(/\d+/)[0]);
  await shown(page, first);
  const reason = await current();
  /** How much of the window's height the subject takes. */
  const extent = () =>
    page.evaluate(() => {
      const ys = [...document.querySelectorAll('svg circle[data-keypoint]')].map((one) => Number(one.getAttribute('cy')));
      return (Math.max(...ys) - Math.min(...ys)) / document.querySelector('.stage').clientHeight;
    });
  const zoomed = [await extent()];
  await page.getByLabel('Zoom to the subject').uncheck();
  zoomed.push(await extent());
  await page.keyboard.press('Shift+R');
  await page.getByLabel('Zoom to the subject').and(page.locator(':checked')).waitFor();
  zoomed.push(await extent());
  const begun = await counters();
  await photo(page, 'review');

  const second = await after(() => page.keyboard.press('Space'));
  const third = await after(() => page.keyboard.press('e'));
  await page.getByText(/^Rejected frame/).waitFor();
  const fourth = await after(() => page.keyboard.press('Shift+S'));
  await page.keyboard.press('n');
  await page.waitForFunction((was) => Number(document.querySelector('.screen').dataset.shown) !== was, fourth);
  await page.keyboard.press('p');
  await shown(page, fourth);

  // What is fixed is a label; on the way to the next it is propagated into the gaps beside it.
  await drag(page, told.keypoint, [16, 8]);
  await saved(page);
  const began = Date.now();
  const fifth = await after(() => page.keyboard.press('Space'));
  await page.getByText('propagating the fix…').waitFor();
  await page.getByText('propagating the fix…').waitFor({ state: 'detached' });
  const spread = Date.now() - began;

  // A whole gap at once, then that is taken back.
  await goTo(page, told.gap);
  await page.keyboard.press('Shift+A');
  await page.getByText(/^Accepted frames/).waitFor();
  await page.waitForTimeout(told.photos ? 2500 : 0);
  await photo(page, 'review-accepted');
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await page.getByText('The verdict was taken back.').waitFor();
  const ended = await counters();
  const wrong = {};
  for (const name of ['light', 'dark']) {
    await theme(page, name);
    wrong[name] = await violations(page);
    await photo(page, `review-${name}`);
  }
  await page.keyboard.press('r');
  await list.first().waitFor({ state: 'detached' });
  zoomed.push(await extent());
  return { frames: [first, second, third, fourth, fifth], last: await onFrame(), reason, begun, ended, spread, wrong, zoomed };
});
