// Going through what a machine is least sure of: right, wrong, later, a fix that is propagated, a verdict taken back.
import { browse, drag, goTo, photo, saved, shown, signIn, theme, told, violations, watched } from './browse.mjs';

await browse(async ({ page, browser }) => {
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

  // All videos of the project in turn: one leads to another video, where it goes on.
  await page.keyboard.press('r');
  await page.getByLabel('All videos of the project, in turn').check();
  await list.getByText('other.mp4').first().waitFor();
  const turns = (await list.locator('.cut').allInnerTexts()).slice(0, 2).map((text) => text.replace(/^.* · /, ''));
  await photo(page, 'review-everywhere');
  await list.filter({ hasText: 'other.mp4' }).first().getByRole('button').click();
  await page.waitForURL(`**/#/videos/${told.other}`);
  await page.locator('li[aria-current=true]').waitFor();
  const there = Number((await current()).match(/\d+/)[0]);
  await shown(page, there);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  const said = page.waitForResponse((answer) => /\/reviews$/.test(answer.url()) && answer.request().method() === 'POST');
  await page.keyboard.press('a');
  await said;

  // By touch: buttons, and two fingers that zoom.
  const hands = await browser.newContext({ viewport: { width: 1024, height: 768 }, hasTouch: true });
  const tablet = await hands.newPage();
  watched(tablet);
  await signIn(tablet);
  await tablet.goto(`${told.address}/#/videos/${told.video}`);
  await tablet.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  await tablet.getByRole('button', { name: 'Start', exact: true }).tap();
  const chosen = tablet.locator('li[aria-current=true]');
  await chosen.waitFor();
  const tapped = [await chosen.innerText()];
  for (const what of ['Right', 'Later']) {
    await tablet.getByRole('button', { name: what, exact: true }).tap();
    await tablet.waitForFunction((was) => ![was, undefined].includes(document.querySelector('li[aria-current=true]')?.innerText), tapped.at(-1));
    tapped.push(await chosen.innerText());
  }
  await tablet.getByLabel('Zoom to the subject').uncheck();
  const across = () => tablet.evaluate(() => {
    const xs = [...document.querySelectorAll('svg circle[data-keypoint]')].map((one) => Number(one.getAttribute('cx')));
    return Math.max(...xs) - Math.min(...xs);
  });
  const pinched = [await across()];
  const session = await hands.newCDPSession(tablet);
  const stage = await tablet.locator('.stage').boundingBox();
  const fingers = (apart) => [-1, 1].map((side, id) => ({ x: stage.x + stage.width / 2 + side * apart, y: stage.y + stage.height / 2, id }));
  const touch = (type, touchPoints) => session.send('Input.dispatchTouchEvent', { type, touchPoints });
  await touch('touchStart', fingers(60));
  for (const apart of [80, 110, 140]) await touch('touchMove', fingers(apart));
  await touch('touchEnd', []);
  await tablet.waitForFunction((was) => {
    const xs = [...document.querySelectorAll('svg circle[data-keypoint]')].map((one) => Number(one.getAttribute('cx')));
    return Math.max(...xs) - Math.min(...xs) > 1.2 * was;
  }, pinched[0]);
  pinched.push(await across());
  await photo(tablet, 'review-tablet');
  await hands.close();
  return { frames: [first, second, third, fourth, fifth], last: await onFrame(), reason, begun, ended, spread, wrong, zoomed, turns, there, tapped, pinched };
});
