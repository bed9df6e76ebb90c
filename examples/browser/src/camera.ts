import { video } from './stage.js';

/** The camera, shown in the page's `video` element; it runs until {@link stopCamera}. */
export async function startCamera(): Promise<void> {
  if (!navigator.mediaDevices) throw new Error('the camera needs a secure page (https, or localhost)');
  const ideal = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: 'environment' };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: ideal });
  await video.play();
}

export function stopCamera(): void {
  const stream = video.srcObject as MediaStream | null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}
