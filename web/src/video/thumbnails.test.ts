import { held, serve, settled } from '../tests/service';
import { expect, it } from 'vitest';
import { onSignedOut } from '../api/client';
import { Thumbnails } from './thumbnails.svelte';

const picture = () => new Response(new Blob(['picture']));

it('a picture that comes late does not replace that of what is pointed at now', async () => {
  const late = held<Response>();
  serve(({ what }) => (what.endsWith('/5') ? late.promise : picture()));
  const thumbnails = new Thumbnails(1);
  thumbnails.want(9);
  await settled();
  expect(thumbnails.shown?.frame).toBe(9);
  thumbnails.want(5);
  await settled();
  thumbnails.want(9);
  late.give(picture());
  await settled();
  expect(thumbnails.shown?.frame).toBe(9);
  thumbnails.want(5);
  expect(thumbnails.shown?.frame).toBe(5);
  thumbnails.close();
});

it('one that was passed is shown until that of what is pointed at comes', async () => {
  const answers = [held<Response>(), held<Response>()];
  let at = 0;
  serve(() => answers[at++]?.promise);
  const thumbnails = new Thumbnails(1);
  thumbnails.want(5);
  await settled();
  thumbnails.want(9);
  answers[0]?.give(picture());
  await settled();
  expect(thumbnails.shown?.frame).toBe(5);
  answers[1]?.give(picture());
  await settled();
  expect(thumbnails.shown?.frame).toBe(9);
  thumbnails.close();
});

it('a picture that is refused because the session ended tells so', async () => {
  let told = 0;
  onSignedOut(() => told++);
  serve(() => new Response(null, { status: 401 }));
  const thumbnails = new Thumbnails(1);
  thumbnails.want(5);
  await settled();
  expect([told, thumbnails.shown]).toEqual([1, null]);
});
