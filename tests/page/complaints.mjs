// What people complain of in the tools that they have, tried on our page one by one. The video's frames carry their own
// number as black and white blocks, so that what is on the screen can be read.
import { browse, drag, drawn, goTo, keypoint, numbered, photo, saved, shown, signIn, told, traffic } from './browse.mjs';

await browse(async ({ page, faults }) => {
  const asked = [];
  const quiet = traffic(page);
  page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await numbered(page);
  await signIn(page);
  faults.length = 0;
  const seen = {};
  const place = async (name = 'a') => (await keypoint(page, name)).at;
  const onFrame = () => page.evaluate(() => Number(document.querySelector('.screen').dataset.shown));
  const circles = () => page.locator('svg circle[data-keypoint]').count();
  const row = (name) => page.locator('aside li', { hasText: new RegExp(`^\\s*${name}\\b`) });

  const read = () => page.evaluate(([w, h, bits]) => globalThis.readNumber(w, h, bits), [told.width, told.height, told.bits]);

  await page.goto(`${told.address}/#/projects/${told.project}`);
  await page.getByTestId('files').setInputFiles([told.broken, told.clip]);
  seen.rejected = await page.getByText(/not a video that can be read/).first().innerText();
  seen.refused = await page.getByRole('region', { name: 'Uploads' }).innerText();
  await photo(page, 'refused');
  await page.getByText('second.mp4').first().waitFor();
  await page.locator('a[href^="#/videos/"]', { hasText: 'second.mp4' }).first().waitFor();
  const opening = asked.length;
  await page.goto(`${told.address}/#/videos/${told.video}`);
  await shown(page, 0);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  await saved(page);
  seen.opening = asked.slice(opening).filter((one) => /\/(frames|poses|labels)\b/.test(one));

  // The frame on the screen is the one that is named, after jumps and while a key is held.
  seen.read = [];
  for (const frame of [0, 17, 59, 3, 31, 30]) {
    await goTo(page, frame);
    seen.read.push([frame, await read()]);
  }
  await goTo(page, 0);
  const sampling = page.evaluate(([w, h, bits]) => new Promise((done) => {
    const pairs = [];
    const look = () => {
      const named = Number(document.querySelector('.screen').dataset.shown);
      pairs.push([named, globalThis.readNumber(w, h, bits)]);
      if (named >= 40) done(pairs);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }), [told.width, told.height, told.bits]);
  await page.keyboard.down('ArrowRight');
  seen.held = await sampling;
  await page.keyboard.up('ArrowRight');
  // What was held goes on for no frame after it is let go.
  const letGo = await onFrame();
  await drawn(page, 20);
  seen.overrun = (await onFrame()) - letGo;

  // Going through frames asks for pictures alone, whatever a machine said of them.
  await goTo(page, 10);
  await quiet();
  const before = asked.length;
  for (let step = 0; step < 10; step++) {
    await page.keyboard.press('ArrowRight');
    await shown(page, 11 + step);
  }
  seen.asked = asked.slice(before);

  // Clicks, shaking hands and bones move nothing; a drag moves one keypoint; a saved one stays where it was put.
  await goTo(page, 0);
  const all = async () => Promise.all(told.keypoints.map((name) => place(name)));
  seen.untouched = [await all()];
  const a = await keypoint(page, 'a');
  const b = await keypoint(page, 'b');
  await page.mouse.click(a.left, a.top);
  await page.mouse.move(a.left, a.top);
  await page.mouse.down();
  await page.mouse.move(a.left + 1, a.top + 1);
  await page.mouse.up();
  await page.mouse.move((a.left + b.left) / 2, (a.top + b.top) / 2);
  await page.mouse.down();
  await page.mouse.move((a.left + b.left) / 2 + 40, (a.top + b.top) / 2 + 30, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.press('0');
  seen.untouched.push(await all());
  const edits = asked.length;
  await drag(page, 'a', [25, 15]);
  seen.put = [await place()];
  await saved(page);
  seen.edit = asked.slice(edits).filter((one) => one.startsWith('PUT'));
  seen.put.push(await place());
  await page.keyboard.press('ArrowRight');
  await shown(page, 1);
  await page.keyboard.press('ArrowLeft');
  await shown(page, 0);
  seen.put.push(await place());
  await page.reload();
  await shown(page, 0);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  seen.put.push(await place());
  seen.others = (await all()).slice(1);

  // What was saved is undone by the person who did it while the page is open.
  await drag(page, 'b', [10, 25]);
  await saved(page);
  await page.keyboard.press('Control+z');
  await page.waitForFunction(([x]) => Math.abs(Number(document.querySelector('svg circle[data-keypoint=b]').dataset.x) - x) < 0.1, seen.others[0]);
  await saved(page);
  seen.undone = [seen.others[0], await place('b')];

  // Keys for keyframes: the next one, the one before, the middle, taking a pose back.
  const keys = [];
  for (const [key, frame] of [[']', 20], [']', 40], ['[', 20]]) {
    await page.keyboard.press(key);
    await shown(page, frame);
    keys.push(await onFrame());
  }
  seen.keyframes = keys;
  await goTo(page, 22);
  await page.keyboard.press('m');
  await page.waitForFunction(() => document.querySelector('.screen').dataset.shown !== '22');
  seen.middle = await onFrame();
  await goTo(page, 20);
  await row('a').getByText('visible').waitFor();
  await page.keyboard.press('Shift+Delete');
  await row('a').getByText('visible').waitFor({ state: 'detached' });
  await saved(page);
  await page.keyboard.press('[');
  await shown(page, 0);
  await page.keyboard.press(']');
  await shown(page, 40);
  seen.removed = await onFrame();
  await page.keyboard.press('Control+z');
  await shown(page, 20);
  seen.elsewhere = await row('a').innerText();
  await page.keyboard.press('Control+z');
  await row('a').getByText('visible').waitFor();
  await saved(page);

  // Nothing lies over a keypoint: what is under the pointer is the canvas that hears it.
  seen.covered = await page.locator('svg circle[data-keypoint]').evaluateAll((found) =>
    found.map((one) => {
      const box = one.getBoundingClientRect();
      return document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2).tagName;
    }),
  );

  // Zoom by keys, kept from frame to frame, and back.
  const apart = async () => {
    const [one, other] = [await keypoint(page, 'a'), await keypoint(page, 'c')];
    return Math.hypot(one.left - other.left, one.top - other.top) / Math.hypot(one.at[0] - other.at[0], one.at[1] - other.at[1]);
  };
  await goTo(page, 20);
  seen.zoom = [await apart()];
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  seen.zoom.push(await apart());
  await page.keyboard.press('ArrowRight');
  await shown(page, 21);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  seen.zoom.push(await apart());
  const left = async () => (await keypoint(page, 'a')).left;
  seen.panned = [await left()];
  await page.keyboard.press('Control+Shift+ArrowRight');
  seen.panned.push(await left());
  await page.keyboard.press('0');
  seen.zoom.push(await apart());

  // The timeline keeps its zoom and place while frames go by.
  const line = page.locator('canvas[role=slider]').first();
  const box = await line.boundingBox();
  const spot = [box.x + box.width * 0.6, box.y + 6];
  await page.mouse.move(...spot);
  await page.mouse.wheel(0, -600);
  await page.mouse.click(...spot);
  await page.waitForFunction(() => document.querySelector('canvas[role=slider]').getAttribute('aria-valuenow') !== '21');
  seen.timeline = [Number(await line.getAttribute('aria-valuenow'))];
  await shown(page, seen.timeline[0]);
  await page.keyboard.press('ArrowRight');
  await shown(page, seen.timeline[0] + 1);
  await page.mouse.click(...spot);
  await shown(page, seen.timeline[0]);
  seen.timeline.push(await onFrame());
  await page.mouse.dblclick(...spot);

  // A new subject is placed in order; several keypoints are skipped; one lies beyond the picture.
  await goTo(page, 50);
  await page.keyboard.press('Shift+N');
  await page.getByText('Click: a', { exact: true }).waitFor();
  const stage = await page.locator('.stage').boundingBox();
  await page.mouse.click(stage.x + 2, stage.y + stage.height / 2);
  await page.getByText('Click: b', { exact: true }).waitFor();
  await page.keyboard.press('s');
  await page.getByText('Click: c', { exact: true }).waitFor();
  await page.keyboard.press('s');
  await page.getByText('Click: d', { exact: true }).waitFor();
  await page.mouse.click(stage.x + stage.width / 2, stage.y + stage.height / 2);
  await page.getByText('Everything is placed.').waitFor();
  await saved(page);
  seen.outside = await place();
  seen.placed = await circles();

  // Between keyframes the gaps are filled; keys lead to the next keypoint, and to a frame that nobody labelled.
  await page.keyboard.press('1');
  await goTo(page, 30);
  await row('a').getByText('machine').waitFor();
  seen.filled = await circles();
  const chosen = () => page.locator('aside ol button[aria-pressed=true] .grow').allInnerTexts();
  seen.keypoints = [];
  for (let step = 0; step < 2; step++) {
    await page.keyboard.press('Tab');
    seen.keypoints.push(...(await chosen()));
  }
  await page.keyboard.press('n');
  await page.locator('li[aria-current=true]').waitFor();
  seen.unlabelled = await onFrame();
  await photo(page, 'complaints');

  // Many subjects: only the selected one's keypoints are elements. Of a long list of suggestions a part is.
  await page.goto(`${told.address}/#/videos/${told.crowd}`);
  await shown(page, 0);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  /** Whether what is found is in the window, with nothing over it. */
  const seenWhole = (found) =>
    found.map((one) => {
      const box = one.getBoundingClientRect();
      return one.contains(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2));
    });
  seen.propagate = await page.getByRole('button', { name: 'Propagate', exact: true }).evaluateAll(seenWhole);
  seen.crowd = [await page.locator('aside li .name').count(), await page.locator('.stage *').count()];
  await page.keyboard.press('r');
  const list = page.getByRole('list', { name: 'Review' });
  await list.getByText(/^Frame \d+/).first().waitFor();
  const waiting = Number((await page.getByTestId('review-counters').innerText()).match(/[\d,]+/)[0].replaceAll(',', ''));
  seen.listed = [waiting, await list.getByRole('listitem').count()];
  await page.locator('li[aria-current=true]').waitFor();
  seen.verdicts = await page.getByRole('region', { name: 'Verdicts' }).getByRole('button').evaluateAll(seenWhole);
  seen.current = await page.locator('li[aria-current=true]').evaluateAll(seenWhole);
  seen.selected = await page.locator('aside li button[aria-pressed=true].name').evaluateAll(seenWhole);
  await photo(page, 'crowd');
  return seen;
});
